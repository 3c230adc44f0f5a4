// The words that settings take as values.

/// How much is said on stderr, from the most urgent on.
package enum LogLevel: String, CaseIterable, Comparable, Sendable {
  case error, warning, info, debug

  private var rank: Int { LogLevel.allCases.firstIndex(of: self)! }
  package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }
}

/// What encrypts the channels.
package enum Cipher: String, CaseIterable, Sendable {
  /// AES-256-GCM where this machine has the instructions, else ChaCha20-Poly1305.
  case auto
  case aes
  case chacha
}
