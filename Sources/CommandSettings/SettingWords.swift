// The words that are values of settings.

/// How much goes to stderr. The most urgent level comes first.
package enum LogLevel: String, CaseIterable, Comparable, Sendable {
  case error, warning, info, debug

  private var rank: Int { LogLevel.allCases.firstIndex(of: self)! }
  package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rank < b.rank }
}

/// The cipher of the channels.
package enum Cipher: String, CaseIterable, Sendable {
  /// AES-256-GCM where this machine has the instructions, else ChaCha20-Poly1305.
  case auto
  case aes
  case chacha
}
