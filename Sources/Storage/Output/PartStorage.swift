// Holds a download's verified bytes until the output has its name: one file, or a folder.
import Content
import Posix

/// The unfinished output of a download. Only this process uses it.
///
/// Only verified bytes are written to it. `write` and `read` may run on several threads at once. `place` or `discard`
/// is called once, after the last `write`; without either the part stays for a later `get`. `read` still works after
/// `place`.
public protocol PartStorage: AnyObject, Sendable {
  /// Whether it may hold bytes of an earlier download.
  var isResumed: Bool { get }
  /// The path of the part, for people.
  var path: String { get }
  /// The places of a folder's files before `place`. Nil if the output is a file.
  var filePlaces: FilePlaces? { get }

  /// Pages of chunk hashes that no peer sent. They come from files that the part or the output has.
  var knownPages: [HashPage] { get }

  /// Writes verified bytes: at most 64 KiB, and within the content.
  func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError)
  /// Fills the first `wanted` bytes of the span with bytes that were written.
  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError)
  /// Waits until all written bytes are on the disk. A failure is final, and every later call fails too.
  func syncData() throws(PartFileError)
  /// Waits until the names of the part and of its journal, or of the output, are on the disk.
  func syncFolder() throws(PartFileError)

  /// Opens the journal of the part, or makes an empty one.
  func openJournal() throws(PartFileError) -> JournalFile
  /// Removes the journal, and after `place` also the rest of the part. A failure is harmless.
  func removeJournal()
  /// Returns for each chunk the mask of the leaves that are present and match their hashes; bit 0 is the chunk's first
  /// leaf. Chunks without such a leaf are left out. Works on `threads` threads. Soon after `shouldStop` returns true,
  /// it returns what was found so far.
  func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)]

  /// Throws if the output cannot have its name. Call it before anything is downloaded; `place` checks again.
  /// - `force`: whether a file or a symbolic link of that name may be replaced.
  func checkPlace(_ name: String, force: Bool) throws(PartFileError)
  /// Returns the path of an output with that name.
  func outputPath(_ outputName: String) -> String
  /// Gives the finished output its name, which is one component, in one step. If it throws, the part stays.
  func place(as outputName: String, force: Bool) throws(PartFileError)
  /// Returns the finished output under its final name. Reads work while no other program changes it.
  func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput

  /// Frees the lock, so that another download may take over the part. Nothing more is written; reads still work.
  func release()
  /// Removes the part and its journal, when they are useless to a later `get`.
  func discard() throws(PartFileError)
}

extension PartStorage {
  public var filePlaces: FilePlaces? { nil }
  public var knownPages: [HashPage] { [] }

  /// As `verifiedLeaves(of:in:threads:shouldStop:)`, on all cores.
  public func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    try verifiedLeaves(of: chunks, in: layout, threads: Thread.processorCount, shouldStop: shouldStop)
  }
}

/// A finished output that is read again. A read throws if another program has changed the bytes that it reads.
public protocol CheckedOutput: AnyObject, Sendable {
  /// Fills the first `wanted` bytes of the span, at most 64 KiB.
  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError)
}

extension CheckedFile: CheckedOutput {}
extension PartFile: PartStorage {}
