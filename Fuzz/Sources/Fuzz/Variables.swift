// Switches in the environment.
import Glibc

enum Variables {
  /// The words of a variable, which commas separate; none where it is not set.
  static func words(_ name: String) -> [Substring] {
    getenv(name).map { String(cString: $0).split(separator: ",") } ?? []
  }
}
