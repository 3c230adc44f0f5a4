// Finds and removes the part files and part folders that interrupted downloads left, for the `parts` command.
import Content
import Posix

/// A part file or a part folder of a download that did not finish.
public struct LeftPart: Sendable {
  /// The most bytes to read from a journal. Only the journals of files of many gigabytes are longer.
  static let journalBytesMax: UInt64 = 16 << 20

  /// The folder that contains it.
  public let folder: String
  /// The name: `.<first 16 hex digits of the ID>.p2p-part`. For a journal without a part file, the journal's name.
  public let name: String
  /// Whether a folder was downloaded.
  public let isFolder: Bool
  /// The bytes that it takes on the disk, with its journal.
  public let diskBytes: UInt64
  /// When it was last written.
  public let modified: FileTime
  /// Whether a running download uses it.
  public let isRunning: Bool
  /// The bytes of its journal, or the start of a very long one. Empty if it has none.
  public let journal: [UInt8]
  /// The ID of the folder. Nil if the listing is not complete, or for a file.
  public let folderID: FileID?
  /// The name that the folder's output will have, or else the suggested one.
  public let outputName: String?

  /// The path of the part.
  public var path: String { PathParts(folder: folder, name: name).path }
  /// The first 16 hexadecimal digits of the ID.
  public var idStart: String { String(name.dropFirst().prefix(PartName.digitCount)) }
}

/// The names of parts and journals.
enum PartName {
  static let digitCount = 16
  static let part = ".p2p-part"
  static let journal = ".p2p-journal"

  /// Whether a download could have given a part or a journal this name.
  static func isName(_ name: String, endingIn ending: String) -> Bool {
    let bytes = Array(name.utf8)
    guard bytes.count == 1 + digitCount + ending.utf8.count, bytes.first == UInt8(ascii: "."), name.hasSuffix(ending)
    else { return false }
    return bytes[1...digitCount].allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
  }
}

/// All parts in a folder and the folders below it.
public struct LeftParts: Sendable {
  /// The parts in the order of their paths.
  public private(set) var parts: [LeftPart] = []
  /// The errors of folders that cannot be read.
  public private(set) var unreadable: [Errno] = []

  /// Searches a folder and the folders below it. Follows no link and does not enter part folders.
  public init(below path: String) throws(Errno) {
    var folders = try look(into: path)
    while let folder = folders.popLast() {
      do throws(Errno) { folders += try look(into: folder) } catch {
        if error.code != Errno.noEntry { unreadable.append(error) }
      }
    }
    parts.sort { $0.path < $1.path }
    unreadable.sort { $0.subject < $1.subject }
  }

  /// Adds the parts in a folder. Returns the other folders in it.
  private mutating func look(into path: String) throws(Errno) -> [String] {
    let folder = try Directory(path)
    var others: [String] = []
    for entry in try folder.entries() {
      guard let name = entry.text else { continue }
      if PartName.isName(name, endingIn: PartName.part) || PartName.isName(name, endingIn: PartName.journal) {
        if let part = LeftPart(name, in: folder) { parts.append(part) }
      } else if (entry.kind ?? (try? folder.status(of: name).kind)) == .directory {
        others.append(folder.path(of: name))
      }
    }
    return others
  }
}

extension LeftPart {
  /// Makes the part for a name. Nil if this user's p2pnode did not make it, if it is gone, or if it is a part file's
  /// journal.
  fileprivate init?(_ name: String, in folder: borrowing Directory) {
    guard let status = try? folder.status(of: name), status.owner == Environment.userID else { return nil }
    let isJournal = name.hasSuffix(PartName.journal)
    switch status.kind {
    case .regular where isJournal:
      let part = name.dropLast(PartName.journal.utf8.count) + PartName.part
      guard (try? folder.status(of: String(part))) == nil else { return nil }
      self.init(journal: name, status, in: folder)
    case .regular: self.init(file: name, status, in: folder)
    case .directory where !isJournal: self.init(folder: name, status, in: folder)
    default: return nil
    }
  }

  private init?(journal name: String, _ status: FileStatus, in folder: borrowing Directory) {
    guard let file = try? LockedPart.openExisting(name, in: folder), (try? LockedPart.checkOurs(file)) != nil else {
      return nil
    }
    self.init(
      folder: folder.path, name: name, isFolder: false, diskBytes: LeftPart.bytes(of: name, in: folder),
      modified: status.modified, isRunning: false, journal: LeftPart.bytes(of: file), folderID: nil,
      outputName: nil)
  }

  private init?(file name: String, _ status: FileStatus, in folder: borrowing Directory) {
    guard let file = try? LockedPart.openExisting(name, in: folder), (try? LockedPart.checkOurs(file)) != nil else {
      return nil
    }
    let journal = name.dropLast(PartName.part.utf8.count) + PartName.journal
    let journalFile = (try? LockedPart.openExisting(String(journal), in: folder)) ?? nil
    var head: [UInt8] = []
    if let journalFile, (try? LockedPart.checkOurs(journalFile)) != nil { head = LeftPart.bytes(of: journalFile) }
    self.init(
      folder: folder.path, name: name, isFolder: false,
      diskBytes: LeftPart.bytes(of: name, in: folder) + LeftPart.bytes(of: String(journal), in: folder),
      modified: status.modified, isRunning: LeftPart.isLocked(file), journal: head, folderID: nil,
      outputName: nil)
  }

  private init?(folder name: String, _ status: FileStatus, in parent: borrowing Directory) {
    guard let part = (try? LockedPartFolder.open(name, in: parent)) ?? nil else { return nil }
    var (head, isRunning): ([UInt8], Bool) = ([], false)
    if let journal = (try? LockedPart.openExisting(PartFolderName.journal, in: part)) ?? nil {
      head = LeftPart.bytes(of: journal)
    }
    if let lock = (try? LockedPart.openExisting(PartFolderName.lock, in: part)) ?? nil {
      isRunning = LeftPart.isLocked(lock)
    }
    let path = part.path(of: PartFolderName.listing)
    var (diskBytes, modified) = (UInt64(0), status.modified)
    LeftPart.measure(part, &diskBytes, &modified)
    self.init(
      folder: parent.path, name: name, isFolder: true, diskBytes: diskBytes, modified: modified, isRunning: isRunning,
      journal: head, folderID: ListingCache.folderID(ofListing: path),
      outputName: ListingCache.outputName(inPart: part.path) ?? ListingCache.suggestedName(besideListing: path))
  }

  /// Adds the sizes and times of everything below a folder. Follows no link.
  private static func measure(_ folder: borrowing Directory, _ bytes: inout UInt64, _ modified: inout FileTime) {
    for entry in (try? folder.entries()) ?? [] {
      guard let name = entry.text, let status = try? folder.status(of: name) else { continue }
      bytes += LeftPart.bytes(of: name, in: folder)
      modified = max(modified, status.modified)
      if status.kind == .directory, let inner = try? folder.openDirectory(beneath: name) {
        measure(inner, &bytes, &modified)
      }
    }
  }

  private static func bytes(of name: String, in folder: borrowing Directory) -> UInt64 {
    (try? folder.allocatedByteCount(of: name)) ?? 0
  }

  private static func bytes(of journal: borrowing File) -> [UInt8] {
    let size = min((try? journal.status().size) ?? 0, journalBytesMax)
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    let count = (try? journal.read(at: 0, into: &raw)) ?? 0
    return Array(bytes[..<count])
  }

  /// Whether another process holds the lock.
  private static func isLocked(_ file: borrowing File) -> Bool { (try? file.tryLock()) == false }
}

// MARK: Removing

extension LeftPart {
  /// Removes the part and its journal. Follows no link. Throws `running` if a download uses it.
  public func remove() throws(PartFileError) {
    let directory: Directory
    do throws(Errno) { directory = try Directory(folder) } catch { throw .io(error) }
    if isFolder { return try removeFolder(in: directory) }
    guard let file = try LockedPart.openExisting(name, in: directory) else { return }
    try LockedPart.checkOurs(file)
    let isFree: Bool
    do throws(Errno) { isFree = try file.tryLock() } catch { throw .io(error) }
    guard isFree else { throw .running(path: path) }
    let isJournal = name.hasSuffix(PartName.journal)
    let journal = isJournal ? nil : name.dropLast(PartName.part.utf8.count) + PartName.journal
    do throws(Errno) {
      // Removes the journal first. Without a part file it is useless; without its journal, a part file can still be
      // resumed.
      if let journal { try? directory.remove(String(journal)) }
      try directory.remove(name)
    } catch {
      throw .io(error)
    }
  }

  private func removeFolder(in directory: consuming Directory) throws(PartFileError) {
    let part = try LockedPartFolder(name, in: directory)
    ScratchFolder.remove(name, in: part.parent)
    guard (try? part.parent.status(of: name)) == nil else {
      throw .io(Errno(code: Errno.notEmpty, call: "unlinkat", subject: path))
    }
  }
}
