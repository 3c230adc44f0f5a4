// The one place where libsodium is started.
import CSodium

/// Starts libsodium once for the process. Every type of this target calls it first.
enum Library {
  static let isReady: Bool = sodium_init() >= 0

  static func start() {
    precondition(isReady, "libsodium cannot be started")
  }
}
