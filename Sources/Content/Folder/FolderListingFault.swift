// Why bytes are not a valid folder listing.

/// The rule that a listing breaks. If its bytes match the folder ID, the author of the listing is at fault, not the
/// peer.
public struct FolderListingFault: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Rule: Hashable, Sendable {
    case magic
    case tooLong
    case tooManyEntries
    case truncated
    case trailingBytes
    case unknownType
    /// Paths are not strictly ascending.
    case order
    /// An entry lies below another entry, which is not a folder with entries.
    case belowEntry
    case pathEmpty
    case pathTooLong
    case pathNotUTF8
    case pathNUL
    case componentEmpty
    case componentDots
    case componentTooLong
    case tooManyComponents
    case lengthWithoutRoot
    case rootWithoutLength
    case targetEmpty
    case targetTooLong
    case targetNotUTF8
    case targetNUL
    case targetComponent
    /// The target lies outside the listed folder.
    case targetOutside
    case contentsTooLong
    case tooManyChunks
  }

  public let rule: Rule
  /// The number of the entry, from 0. Nil if the whole listing breaks the rule.
  public let entry: Int?

  public init(_ rule: Rule, entry: Int? = nil) {
    self.rule = rule
    self.entry = entry
  }

  public var description: String {
    let what =
      switch rule {
      case .magic: "it does not begin as a listing"
      case .tooLong: "it is longer than 1 GiB"
      case .tooManyEntries: "it has more than \(FolderListing.entryCountMax) entries"
      case .truncated: "it ends too early"
      case .trailingBytes: "bytes follow the last entry"
      case .unknownType: "the type is unknown"
      case .order: "the path does not come after the one before it"
      case .belowEntry: "the path lies below an entry that is no folder"
      case .pathEmpty: "the path is empty"
      case .pathTooLong: "the path is longer than \(FolderPath.byteCountMax) bytes"
      case .pathNotUTF8: "the path is not UTF-8"
      case .pathNUL: "the path has a NUL"
      case .componentEmpty: "a component of the path is empty"
      case .componentDots: "a component of the path is \".\" or \"..\""
      case .componentTooLong: "a component of the path is longer than \(FolderPath.componentByteCountMax) bytes"
      case .tooManyComponents: "the path has more than \(FolderPath.componentCountMax) components"
      case .lengthWithoutRoot: "a file that is not empty has no root"
      case .rootWithoutLength: "an empty file has a root"
      case .targetEmpty: "the target of the link is empty"
      case .targetTooLong: "the target of the link is longer than \(FolderPath.byteCountMax) bytes"
      case .targetNotUTF8: "the target of the link is not UTF-8"
      case .targetNUL: "the target of the link has a NUL"
      case .targetComponent: "a component of the link's target is empty, \".\" or a later \"..\""
      case .targetOutside: "the target of the link is outside of the folder"
      case .contentsTooLong: "the files have more than \(FolderListing.contentsLengthMax >> 40) TiB"
      case .tooManyChunks: "the files have more than \(ChunkLayout.chunkCountMax) chunks"
      }
    return entry.map { "entry \($0): \(what)" } ?? what
  }
}
