// The unfinished output of a folder. Its files are written one by one below a hidden folder, which gets the output's
// name only when everything in it is right.
import Content
import Posix
import Synchronization

/// A part folder that only this process uses: `.<first 16 hex digits of the folder's ID>.p2p-part`, mode 0700.
///
/// It holds `tree`, which becomes the output; `listing`, the listing's bytes; `journal`; and `lock`. Paths below `tree`
/// come from a listing, so each parent is opened beneath `tree` without following links, and each step uses one name
/// alone.
///
/// At most 128 descriptors stay open, besides those that threads use at the moment.
public final class FolderPart: PartStorage {
  /// The most folders that stay open. Small files come in the order of the listing, so few folders are in use at once.
  static let openFoldersMax = 64
  /// The most files with several leaves that stay open. Each of them is written in several pieces.
  static let openFilesMax = 64
  /// The bytes reserved for a large file in one step. All large files together have at most
  /// `PartFile.reservedAheadBytes` more reserved than written.
  static let reservedStepBytes: UInt64 = 8 << 20

  public let layout: FolderLayout
  let cut: ChunkLayout
  private let wasThere: Bool
  /// Whether files from the disk were copied into the part.
  let hasCopies = Atomic<Bool>(false)
  /// The pages of the files that were copied into the part from the disk.
  let copiedPages = Mutex<[HashPage]>([])
  public var knownPages: [HashPage] { copiedPages.withLock { $0 } }
  /// The entries that the output will have. Nil: all.
  let wanted: EntrySet?
  let part: LockedPartFolder
  let tree: OpenFolder
  /// The existing output that gets the files of the tree one by one. Nil: the tree itself becomes the output.
  let output: OpenFolder?

  /// What is known about the entries that are files or links.
  struct EntryStates {
    /// Entries that this program made, in this download or an earlier one.
    var made: EntrySet
    /// Entries that were written and may not be on the disk yet.
    var unsynced: EntrySet
  }
  let states: Mutex<EntryStates>
  let folders = DescriptorCache<FolderPath, OpenFolder>(countMax: FolderPart.openFoldersMax)
  let files = DescriptorCache<Int, OpenPartFile>(countMax: FolderPart.openFilesMax)
  /// A file takes the lock of its number while it is made. If its name exists then, another program made it.
  let making = (0..<16).map { _ in MakingLock() }
  let makingFolder = MakingLock()
  let syncsFileSystem: Bool
  let syncFailure = Mutex<PartFileError?>(nil)
  /// The reserved and written bytes of the large files, for the bound on reserved space.
  let reservation = Mutex(FolderReservation())
  let hasPlace = Atomic<Bool>(false)
  /// A time on the file system's clock, after all files were made and written. Nil before `place`.
  let completed = Mutex<FileTime?>(nil)

  /// A lock that is held while a file or folder is made.
  final class MakingLock: Sendable { let mutex = Mutex(()) }

  public var isResumed: Bool { wasThere || hasCopies.load(ordering: .relaxed) }
  var listing: FolderListing { layout.listing }
  /// The bytes of all files.
  var length: UInt64 { listing.contentsLength }
  /// The path of the part folder.
  public var path: String { part.folder.path }

  /// Returns the name of the part folder for a folder's ID.
  public static func name(of folderID: FileID) -> String { PartFile.name(of: folderID) }

  /// Makes the part folder, or takes over the one that an earlier `get` left. Makes the folders of the tree and keeps
  /// the listing. Throws if the disk has no room for all of it.
  /// - `wanted`: the entries that the output will have. Nil: all. Other entries may be written too.
  public convenience init(
    inFolder folderPath: String, layout: FolderLayout, wanted: EntrySet? = nil
  ) throws(PartFileError) {
    try self.init(inFolder: folderPath, layout: layout, wanted: wanted, mayReserveNothing: false, syncsFileSystem: nil)
  }

  /// Makes a part folder inside an existing output, which gets the files of the tree one by one.
  convenience init(in output: OpenFolder, layout: FolderLayout, wanted: EntrySet) throws(PartFileError) {
    try self.init(
      inFolder: output.directory.path, layout: layout, wanted: wanted, output: output, mayReserveNothing: false,
      syncsFileSystem: nil)
  }

  /// - `syncsFileSystem`: whether to sync the whole file system. Nil: only if it reports failures.
  /// - `mayReserveNothing`: whether to act as on a file system that cannot reserve space.
  init(
    inFolder folderPath: String, layout: FolderLayout, wanted: EntrySet?, output: OpenFolder? = nil,
    mayReserveNothing: Bool, syncsFileSystem: Bool?
  ) throws(PartFileError) {
    self.layout = layout
    cut = ChunkLayout(layout)
    self.wanted = wanted
    self.output = output
    let name = FolderPart.name(of: layout.folderID)
    if let output {
      let parent: Directory
      do throws(Errno) { parent = try output.directory.openDirectory(beneath: ".") } catch { throw .io(error) }
      part = try LockedPartFolder(name, in: parent)
    } else {
      part = try LockedPartFolder(name, inFolder: folderPath)
    }
    let isThere = try FolderPart.makeTree(part.folder)
    tree = OpenFolder(try FolderPart.openTree(part.folder))
    wasThere = isThere
    self.syncsFileSystem = syncsFileSystem ?? part.folder.reportsSyncFailures()
    let none = EntrySet(entryCount: layout.listing.count)
    states = Mutex(EntryStates(made: none, unsynced: none))
    if mayReserveNothing { reservation.withLock { $0.isPossible = false } }
    do throws(PartFileError) {
      try prepare()
    } catch {
      // The part folder holds nothing yet, so nothing is lost.
      if !isResumed { try? discard() }
      throw error
    }
  }

  /// Makes the tree. Returns whether it existed already.
  private static func makeTree(_ folder: borrowing Directory) throws(PartFileError) -> Bool {
    do throws(Errno) {
      try folder.makeDirectory(PartFolderName.tree, mode: 0o777)
    } catch {
      if error.code == Errno.exists { return true }
      throw error.isDiskFull ? .diskFull(path: folder.path, byteCount: 0) : .cannotCreate(error)
    }
    // Without a tree, the claims of a journal are void.
    try? folder.remove(PartFolderName.journal)
    return false
  }

  private static func openTree(_ folder: borrowing Directory) throws(PartFileError) -> Directory {
    let path = folder.path(of: PartFolderName.tree)
    let tree: Directory
    do throws(Errno) { tree = try folder.openDirectory(beneath: PartFolderName.tree) } catch {
      switch error.code {
      case Errno.symbolicLink: throw .foreign(path: path, what: "a symbolic link")
      case Errno.notFolder: throw .foreign(path: path, what: "not a folder")
      default: throw .cannotCreate(error)
      }
    }
    let owner: UInt32
    do throws(Errno) { owner = try tree.status().owner } catch { throw .cannotCreate(error) }
    guard owner == Environment.userID else { throw .foreign(path: path, what: "another user's folder") }
    return tree
  }

  // MARK: Bytes

  public func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    precondition(offset <= length && UInt64(bytes.byteCount) <= length - offset, "a write lies within the contents")
    var start = 0
    var near = NearFolder()
    for run in layout.runs(at: offset, count: bytes.byteCount) {
      try write(bytes.extracting(start..<start + run.count), to: run, &near)
      start += run.count
    }
  }

  private func write(_ bytes: RawSpan, to run: FolderRun, _ near: inout NearFolder) throws(PartFileError) {
    if isSmall(run.entry) {
      let file = try openToWrite(run.entry, &near)
      do throws(Errno) { try file.write(bytes, at: run.offset) } catch { throw failure(error) }
    } else {
      let open = try openShared(run.entry, &near)
      do throws(Errno) { try open.file.write(bytes, at: run.offset) } catch { throw failure(error) }
      try wrote(bytes.byteCount, to: open)
    }
    states.withLock { $0.unsynced.insert(run.entry) }
  }

  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError) {
    precondition(offset <= length && UInt64(wanted) <= length - offset, "a read lies within the contents")
    var start = 0
    for run in layout.runs(at: offset, count: wanted) {
      try readAll(of: run, into: &buffer, from: start)
      start += run.count
    }
  }

  /// Reads the bytes of a run to a place in the span. Throws if some are missing.
  func readAll(of run: FolderRun, into buffer: inout MutableRawSpan, from place: Int) throws(PartFileError) {
    guard try read(run, into: &buffer, from: place) == run.count else {
      throw .io(Errno(code: Errno.inputOutput, call: "pread", subject: path(of: run.entry)))
    }
  }

  /// Returns the number of bytes read. It is smaller than the run if the file ends earlier.
  private func read(
    _ run: FolderRun, into buffer: inout MutableRawSpan, from place: Int
  ) throws(PartFileError) -> Int {
    do throws(Errno) {
      guard let open = try openToRead(run.entry) else {
        throw Errno(code: Errno.noEntry, call: "openat", subject: path(of: run.entry))
      }
      return try open.file.read(at: run.offset, count: run.count, into: &buffer, from: place)
    } catch {
      throw .io(error)
    }
  }

  // MARK: Names for people

  /// The path of an entry, for errors.
  func path(of entry: Int) -> String { tree.directory.path(of: listing.path(of: entry).description) }

  func failure(_ errno: Errno) -> PartFileError {
    errno.isDiskFull ? .diskFull(path: path, byteCount: length) : .io(errno)
  }

  /// Returns the error for a file, folder or link that cannot be made.
  func makingFailure(_ errno: Errno) -> PartFileError {
    errno.isDiskFull ? .diskFull(path: path, byteCount: length) : .cannotCreate(errno)
  }
}
