// The journal beside a part file. Bytes are only appended until the output has its name. The process that holds the
// part file's lock owns the journal too.
import Content
import Posix

/// An open `.<first 16 hex digits of the fileID>.p2p-journal`, mode 0600. This type does not know the meaning of its
/// bytes.
public final class JournalFile: Sendable {
  /// The journal of the longest file has a quarter of this size. A longer file is no journal.
  static let byteCountMax: UInt64 = 128 << 20

  private let file: File

  /// Returns the name of the journal for a fileID.
  public static func name(of fileID: FileID) -> String { ".\(fileID.hex.prefix(16)).p2p-journal" }

  /// The path of the journal.
  public var path: String { file.path }

  /// Opens the journal, or makes an empty one. The caller must hold the part file.
  init(_ name: String, in folder: borrowing Directory) throws(PartFileError) {
    if let file = try JournalFile.openExisting(name, in: folder) {
      self.file = file
    } else {
      do throws(Errno) { file = try folder.open(name, [.readWrite, .createExclusive], mode: 0o600) } catch {
        throw error.isDiskFull ? .diskFull(path: folder.path(of: name), byteCount: 0) : .cannotCreate(error)
      }
    }
  }

  private static func openExisting(_ name: String, in folder: borrowing Directory) throws(PartFileError) -> File? {
    guard let file = try LockedPart.openExisting(name, in: folder) else { return nil }
    try LockedPart.checkOurs(file)
    return file
  }

  /// Returns the bytes of the journal for a fileID, if this user has one in the folder. Does not take the lock.
  public static func peek(inFolder folderPath: String, fileID: FileID) -> [UInt8] {
    guard let folder = try? Directory(folderPath), let file = try? openExisting(name(of: fileID), in: folder) else {
      return []
    }
    return (try? bytes(of: file)) ?? []
  }

  /// Returns all bytes. None if the file is too long to be a journal.
  public func bytes() throws(PartFileError) -> [UInt8] {
    do throws(Errno) { return try JournalFile.bytes(of: file) } catch { throw .io(error) }
  }

  private static func bytes(of file: borrowing File) throws(Errno) -> [UInt8] {
    let size = try file.status().size
    guard size <= byteCountMax else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    let count = try file.read(at: 0, into: &raw)
    return Array(bytes[..<count])
  }

  /// Cuts off bytes at the end that are not part of the journal.
  public func truncate(to byteCount: Int) throws(PartFileError) {
    do throws(Errno) { try file.truncate(to: UInt64(byteCount)) } catch { throw .io(error) }
  }

  /// Appends bytes. Only one thread may call it at a time.
  public func append(_ bytes: [UInt8]) throws(PartFileError) {
    do throws(Errno) {
      try file.write(bytes.span.bytes, at: try file.status().size)
    } catch {
      throw error.isDiskFull ? .diskFull(path: path, byteCount: 0) : .io(error)
    }
  }

  /// Waits until the appended bytes are on the disk. A failure is final.
  public func syncData() throws(PartFileError) {
    do throws(Errno) { try file.syncData() } catch {
      throw error.isDiskFull ? .diskFull(path: path, byteCount: 0) : .io(error)
    }
  }
}

extension PartFile {
  /// Opens the journal beside the part file, or makes an empty one.
  public func openJournal() throws(PartFileError) -> JournalFile { try JournalFile(journalName, in: folder) }

  /// Waits until the names of the part file and of its journal are on the disk.
  public func syncFolder() throws(PartFileError) {
    do throws(Errno) { try folder.sync() } catch { throw .io(error) }
  }
}

extension PartStorage {
  /// Writes a header to the journal, unless it has one. If the part stays, the header describes it.
  public func keepLabel(_ header: [UInt8]) throws(PartFileError) {
    let journal = try openJournal()
    guard try journal.bytes().isEmpty else { return }
    do throws(PartFileError) { try journal.append(header) } catch {
      removeJournal()
      throw error
    }
  }
}
