// Splits a path into folder and name, and holds the one way in which a finished file gets its name.
import Posix

/// A path, split at its last component.
public struct PathParts: Hashable, Sendable {
  /// "." if the path has no folder.
  public let folder: String
  /// Empty if the path is "/" or empty.
  public let name: String

  public init(folder: String, name: String) { (self.folder, self.name) = (folder, name) }

  /// Both parts, joined.
  public var path: String { folder.utf8.last == UInt8(ascii: "/") ? folder + name : folder + "/" + name }

  public init(_ path: String) {
    var bytes = Array(path.utf8)
    let slash = UInt8(ascii: "/")
    while bytes.count > 1 && bytes.last == slash { bytes.removeLast() }
    guard let last = bytes.lastIndex(of: slash) else {
      folder = "."
      name = String(decoding: bytes, as: UTF8.self)
      return
    }
    name = String(decoding: bytes[(last + 1)...], as: UTF8.self)
    var above = bytes[..<last]
    while above.count > 1 && above.last == slash { above.removeLast() }
    folder = above.isEmpty ? "/" : String(decoding: above, as: UTF8.self)
  }
}

extension Directory {
  /// Gives a file its final name in one step. Throws EEXIST if the name is taken.
  func place(_ old: String, as new: String) throws(Errno) {
    do throws(Errno) {
      try renameWithoutReplacing(old, to: new)
    } catch {
      guard error.code == Errno.invalid || error.code == Errno.notImplemented else { throw error }
      // File systems without this kind of rename (NFS, some FUSE) can link, which never replaces a file either.
      try link(old, as: new)
      try remove(old)
    }
  }
}
