// Switches in the environment.
import Glibc

enum Variables {
  /// The words of a variable, which commas separate; none where it is not set.
  static func words(_ name: String) -> [Substring] {
    getenv(name).map { String(cString: $0).split(separator: ",") } ?? []
  }

  /// Whether promises that are known to be broken are left out, until their repair is here.
  static let isLenient = !words("FUZZ_LENIENT").isEmpty
}
