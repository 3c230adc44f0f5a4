// Reports to a program the files of a folder that are complete while others are still fetched.
import Content
import Storage
import Transfer

/// A file of a folder that is complete: every byte of it is verified.
public struct CompletedFile: Hashable, Sendable {
  /// The file's path in the folder, unchanged from the listing: escape it before printing.
  public let path: String
  /// The length in bytes.
  public let byteCount: UInt64
  /// Whether the file's owner may execute it.
  public let isExecutable: Bool
  /// The path at which the file can be read now. After the download it is below the path of the result. Until then not
  /// all of it may be on the disk, and a power cut can destroy it. Nil: the folder goes to a stream.
  public let place: String?
}

/// Files of a folder that are complete. There are few at a time if the program reads its updates soon, and more if they
/// have to wait. It uses four bytes of memory per file, and shares the listing with the download.
public struct CompletedFiles: RandomAccessCollection, Sendable {
  private let layout: FolderLayout
  private let places: FilePlaces?
  private var entries: [UInt32]

  /// - `places`: the paths of the files; nil: the folder goes to a stream.
  /// - `entries`: the numbers of entries that are files.
  init(_ layout: FolderLayout, _ places: FilePlaces?, _ entries: [UInt32]) {
    (self.layout, self.places, self.entries) = (layout, places, entries)
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { entries.count }

  public subscript(index: Int) -> CompletedFile {
    let entry = Int(entries[index])
    let listing = layout.listing
    return CompletedFile(
      path: listing.path(of: entry).description, byteCount: listing.fileLength(of: entry),
      isExecutable: listing.isExecutable(entry), place: places?.path(of: entry, in: listing))
  }

  /// Adds files of the same download.
  mutating func add(_ other: CompletedFiles) { entries += other.entries }
}

/// The files of a folder whose contents are fetched, for reports to the program.
struct FolderFiles: Sendable {
  private let layout: FolderLayout
  private let places: FilePlaces?
  /// The entry numbers of files that the output has without fetching them.
  private let held: [UInt32]
  /// The number of wanted files without bytes, which are made at the end.
  private let emptyCount: Int

  /// - `wanted`: the entries that the output gets.
  /// - `missing`: the files among them that are fetched.
  init(_ layout: FolderLayout, wanted: EntrySet, missing: EntrySet, places: FilePlaces?) {
    let listing = layout.listing
    let files = wanted.entries.filter(listing.isFile)
    emptyCount = files.count { listing.fileLength(of: $0) == 0 }
    held = files.filter { listing.fileLength(of: $0) > 0 && !missing.contains($0) }.map { UInt32($0) }
    (self.layout, self.places) = (layout, places)
  }

  /// The files that the output has without fetching them. Nil: there are none.
  var heldFiles: CompletedFiles? { held.isEmpty ? nil : completed(held) }

  func completed(_ entries: [UInt32]) -> CompletedFiles { CompletedFiles(layout, places, entries) }

  /// Returns the progress with the files that need no fetching added.
  func adding(to progress: DownloadProgress) -> DownloadProgress {
    var progress = progress
    progress.folder?.completeFiles += held.count + emptyCount
    progress.folder?.totalFiles += held.count + emptyCount
    return progress
  }
}
