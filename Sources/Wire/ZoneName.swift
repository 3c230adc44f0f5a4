// The name of a zone: the part of a network that a node claims to be in.

/// The name of a zone, such as `eu-west-1a` or `rack12`. Two nodes are in the same zone if their names have the same bytes.
///
/// Source: `Protocol/README.md`, "Payload".
public struct ZoneName: Hashable, Sendable, CustomStringConvertible {
  /// The most bytes of a name.
  public static let byteCountMax = 64

  /// The name. It is safe to show and to log: it has only letters, digits, `-`, `.` and `_`.
  public let description: String

  /// Nil unless the text has 1 to 64 characters, all of them ASCII letters, digits, `-`, `.` or `_`.
  public init?(_ text: String) {
    guard (1...ZoneName.byteCountMax).contains(text.utf8.count), text.utf8.allSatisfy(ZoneName.isAllowed) else {
      return nil
    }
    description = text
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
