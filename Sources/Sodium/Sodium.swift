// The one place where libsodium is started.
import CSodium

/// Starts libsodium once for the process; every face of it calls this first.
enum Library {
  static let isReady: Bool = sodium_init() >= 0

  static func start() {
    precondition(isReady, "libsodium cannot be started")
  }
}
