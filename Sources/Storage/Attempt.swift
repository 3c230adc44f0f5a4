// Turns a failed system call into the error that fits the place of the call.
import Posix

/// Makes a system call. If it fails, throws the error that `meaning` makes from the errno.
func attempt<T: ~Copyable, E: Error>(
  _ call: () throws(Errno) -> T, orThrow meaning: (Errno) -> E
) throws(E) -> T {
  do throws(Errno) { return try call() } catch { throw meaning(error) }
}
