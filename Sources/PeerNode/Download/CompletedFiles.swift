// The files of a folder that are complete while others are still fetched, as a program hears of them.
import Content
import Storage
import Transfer

/// A file of a folder that is complete: every byte of it is verified.
public struct CompletedFile: Hashable, Sendable {
  /// Its path in the folder, as the listing has it: escape it before printing.
  public let path: String
  /// Bytes.
  public let byteCount: UInt64
  /// Whether its owner may execute it.
  public let isExecutable: Bool
  /// Where the file can be read now. When the download is over, it is below the path of the result. Until then the disk
  /// may not have all of it: a power cut can take it away. Nil: the folder goes to a stream.
  public let place: String?
}

/// Files of a folder that are complete. They are few at a time if the program reads its updates soon, and all those that
/// wait otherwise. In memory are the listing, which the downloads shares with it, and four bytes for each file.
public struct CompletedFiles: RandomAccessCollection, Sendable {
  private let layout: FolderLayout
  private let places: FilePlaces?
  private var entries: [UInt32]

  /// - `places`: nil: the folder goes to a stream.
  /// - `entries`: numbers of entries that are files.
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

/// The files of a folder whose contents are fetched, as its program hears of them.
struct FolderFiles: Sendable {
  private let layout: FolderLayout
  private let places: FilePlaces?
  /// Numbers of the entries of files that are there without being fetched.
  private let held: [UInt32]
  /// Wanted files without bytes: they are made at the end.
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

  /// Files that are there without being fetched. Nil: there are none.
  var heldFiles: CompletedFiles? { held.isEmpty ? nil : completed(held) }

  func completed(_ entries: [UInt32]) -> CompletedFiles { CompletedFiles(layout, places, entries) }

  /// The progress with the files that are not fetched.
  func adding(to progress: DownloadProgress) -> DownloadProgress {
    var progress = progress
    progress.folder?.completeFiles += held.count + emptyCount
    progress.folder?.totalFiles += held.count + emptyCount
    return progress
  }
}
