// What interrupted downloads left in folders: part files and part folders, as `parts` lists and removes them.
import Content
import Posix

/// A part file or a part folder that a download made, and that has not become an output.
public struct LeftPart: Sendable {
  /// Bytes of a journal that are read, at most: all of it but for files of many gigabytes.
  static let journalBytesMax: UInt64 = 16 << 20

  /// The folder that it lies in.
  public let folder: String
  /// Its name: `.<first 16 hex digits of the ID>.p2p-part`; of a journal without a part file, that of the journal.
  public let name: String
  /// Whether the download is that of a folder.
  public let isFolder: Bool
  /// Bytes that it takes on the disk, with its journal.
  public let diskBytes: UInt64
  /// When it was last written to.
  public let modified: FileTime
  /// Whether a running download has it.
  public let isRunning: Bool
  /// Its journal, or the start of a very long one; empty if it has none.
  public let journal: [UInt8]
  /// The ID of the folder, if its listing is complete.
  public let folderID: FileID?
  /// The name that the output of a folder will have; else the one that was suggested for it.
  public let outputName: String?

  /// Where it is.
  public var path: String { PathParts(folder: folder, name: name).path }
  /// The first 16 hexadecimal digits of the ID.
  public var idStart: String { String(name.dropFirst().prefix(PartName.digitCount)) }
}

/// The names that parts and journals have.
enum PartName {
  static let digitCount = 16
  static let part = ".p2p-part"
  static let journal = ".p2p-journal"

  /// Whether it is the name of a part or a journal, as a download makes it.
  static func isName(_ name: String, endingIn ending: String) -> Bool {
    let bytes = Array(name.utf8)
    guard bytes.count == 1 + digitCount + ending.utf8.count, bytes.first == UInt8(ascii: "."), name.hasSuffix(ending)
    else { return false }
    return bytes[1...digitCount].allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
  }
}

/// All parts below a folder.
public struct LeftParts: Sendable {
  /// In the order of their paths.
  public private(set) var parts: [LeftPart] = []
  /// Folders that cannot be read.
  public private(set) var unreadable: [Errno] = []

  /// Looks into a folder and the folders below it, through no link, and not into what is in a part folder.
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

  /// Adds the parts that lie in a folder. Returns the other folders in it.
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
  /// Looks at a name. Nil if it is not ours, or is gone, or is the journal of a part file.
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

  /// Adds what is below a folder, through no link.
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

  /// Whether another process has the lock.
  private static func isLocked(_ file: borrowing File) -> Bool { (try? file.tryLock()) == false }
}

// MARK: Removing

extension LeftPart {
  /// Removes it with its journal, through no link. Throws `running` if a download has it.
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
      // A journal without its part file says nothing, but a part file without its journal is only hashed again.
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
