// Why settings cannot be used, in a sentence for the user who wrote them.

/// A setting that is invalid, or a file that cannot be read.
package struct SettingsError: Error, Hashable, Sendable {
  package enum Kind: Sendable {
    /// A key, a value or a line is wrong.
    case usage
    /// A file does not exist, is not regular, is too long or cannot be read.
    case unreadable
  }

  package let kind: Kind
  /// What is wrong, in which place, and what to do now.
  package let message: String

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}
