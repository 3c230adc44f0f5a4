// Why settings cannot be used: a sentence for the person who wrote them.

/// A setting that means nothing, or a file that cannot be read.
package struct SettingsError: Error, Hashable, Sendable {
  package enum Kind: Sendable {
    /// A key, a value or a line is wrong.
    case usage
    /// A file is not there, not regular, too long or not readable.
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
