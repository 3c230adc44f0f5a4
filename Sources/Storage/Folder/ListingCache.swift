// Keeps the fetched listings of folders, so that the next download needs no peer for them.
import Content
import Posix

/// Listings in a folder of this user, named by their folder IDs. A lost listing is fetched again, so the cache keeps
/// only the latest ones and ignores failures to write.
public struct ListingCache: Hashable, Sendable {
  /// The most listings to keep.
  static let countMax = 256
  /// The most bytes of all listings together.
  static let byteCountMax: UInt64 = 512 << 20

  /// The cache's folder. `keep` makes it if it is missing.
  public let folder: String

  public init(_ folder: String) { self.folder = folder }

  /// Returns the file name of a listing in the cache.
  public static func name(of folderID: FileID) -> String { folderID.hex }

  /// Keeps a listing and the name suggested for its folder. Removes the oldest listings if there are too many.
  public func keep(_ listing: FolderListing, suggestedName: String, of folderID: FileID) {
    try? StateFolders.make(folder)
    guard let directory = try? Directory(folder) else { return }
    let name = ListingCache.name(of: folderID)
    // Several processes may keep the same listing at a time.
    for (name, bytes) in [
      (name + ListingCache.suggestionEnding, Array(suggestedName.utf8)), (name, listing.bytes),
    ] { ListingCache.write(bytes, as: name, draft: ".\(name).\(Environment.processID)", in: directory) }
    prune(directory, keeping: name)
  }

  /// Returns a kept listing. Nil if there is none, or if its bytes do not match the ID.
  public func listing(of folderID: FileID) -> FolderListing? {
    let path = folder + "/" + ListingCache.name(of: folderID)
    guard let bytes = ListingCache.bytes(at: path, where: { FileID(kind: .folder, length: $0, root: $1) == folderID })
    else { return nil }
    return try? FolderListing(decoding: bytes)
  }

  /// Returns the ID of the folder whose listing is at a path. Nil if the file is no complete listing.
  static func folderID(ofListing path: String) -> FileID? {
    var id: FileID?
    let bytes = bytes(at: path) {
      id = FileID(kind: .folder, length: $0, root: $1)
      return true
    }
    guard let bytes, (try? FolderListing(decoding: bytes)) != nil else { return nil }
    return id
  }

  private static let suggestionEnding = ".name"

  /// Returns the name suggested for the folder of a listing. Nil if none is kept.
  /// - `path`: the listing's path, in a cache or in a part folder.
  public static func suggestedName(besideListing path: String) -> String? {
    let parts = PathParts(path)
    let isInPart = parts.name == FolderPart.listingName
    return text(at: isInPart ? parts.folder + "/" + PartFolderName.suggestion : path + suggestionEnding)
  }

  /// Returns the name that the output of a part folder will have. Nil if none is kept.
  static func outputName(inPart path: String) -> String? { text(at: path + "/" + PartFolderName.output) }

  /// Keeps the name that the output of a part folder will have, so that `LeftPart` knows it even after a kill.
  public static func keepOutputName(_ name: String, inPart path: String) {
    guard let directory = try? Directory(path) else { return }
    write(Array(name.utf8), as: PartFolderName.output, draft: PartFolderName.outputDraft, in: directory)
  }

  private static func text(at name: String) -> String? {
    guard let file = try? File(name, [.read, .noFollow, .nonBlocking]), let bytes = try? bytes(of: file, max: 4_096)
    else { return nil }
    return String(validating: bytes, as: UTF8.self).flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Keeps a suggested name beside a listing that is in a part folder.
  public static func keepSuggestedName(_ suggestedName: String, besideListing path: String) {
    let parts = PathParts(path)
    guard parts.name == FolderPart.listingName, let directory = try? Directory(parts.folder) else { return }
    write(
      Array(suggestedName.utf8), as: PartFolderName.suggestion, draft: PartFolderName.suggestionDraft, in: directory)
  }

  /// Writes a file under a draft name first, so that no part of it ever has the real name.
  private static func write(
    _ bytes: [UInt8], as name: String, draft: String, in directory: borrowing Directory
  ) {
    do throws(Errno) {
      try? directory.remove(draft)
      let file = try directory.open(draft, [.readWrite, .createExclusive, .noFollow], mode: 0o600)
      try file.write(bytes.span.bytes, at: 0)
      try directory.rename(draft, to: name)
    } catch {
      try? directory.remove(draft)
    }
  }

  private func prune(_ directory: borrowing Directory, keeping name: String) {
    var files: [(name: String, status: FileStatus)] = []
    for entry in (try? directory.entries()) ?? [] {
      if let other = entry.text, let status = try? directory.status(of: other), status.kind == .regular {
        files.append((other, status))
      }
    }
    files.sort { $0.status.modified > $1.status.modified }
    var bytes: UInt64 = 0
    for (place, file) in files.enumerated() where !file.name.hasPrefix(name) {
      bytes += file.status.size
      if place >= 2 * ListingCache.countMax || bytes > ListingCache.byteCountMax { try? directory.remove(file.name) }
    }
  }

  /// Reads the bytes of a listing. Nil if they cannot be read or do not have the root.
  /// - `root`: what the bytes must hash to.
  public static func bytes(at path: String, root: Digest) -> [UInt8]? { bytes(at: path) { $1 == root } }

  /// - `isRight`: gets the number of bytes and their root.
  private static func bytes(at path: String, where isRight: (UInt64, Digest) -> Bool) -> [UInt8]? {
    guard let file = try? File(path, [.read, .noFollow, .nonBlocking]),
      let bytes = try? bytes(of: file, max: FolderListing.byteCountMax)
    else {
      return nil
    }
    var state = FileHashState()
    guard (try? state.feed(bytes.span.bytes)) != nil else { return nil }
    return isRight(UInt64(bytes.count), state.finish().file.root) ? bytes : nil
  }

  /// Reads all bytes of a file. Returns none if there are more than `max`.
  static func bytes(of file: borrowing File, max: Int) throws(Errno) -> [UInt8] {
    let size = try file.status().size
    guard size <= UInt64(max) else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    let count = try file.read(at: 0, into: &raw)
    return Array(bytes[..<count])
  }
}
