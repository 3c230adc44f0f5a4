// A failed system call means something else at every place: here the place says what.
import Posix

/// Makes a system call; where it fails, throws what `meaning` makes of that.
func attempt<T: ~Copyable, E: Error>(
  _ call: () throws(Errno) -> T, orThrow meaning: (Errno) -> E
) throws(E) -> T {
  do throws(Errno) { return try call() } catch { throw meaning(error) }
}
