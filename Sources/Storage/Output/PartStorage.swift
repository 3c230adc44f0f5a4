// The place of a download's verified bytes until the output has its name: one file, or a folder.
import Content
import Posix

/// The unfinished output of a download, which this process holds alone.
///
/// Only verified bytes are written to it. `write` and `read` may run on several threads at once; `place` and `discard`
/// come once, after the last `write`. Without either it stays for a later `get`. `read` goes on after `place`.
public protocol PartStorage: AnyObject, Sendable {
  /// Whether bytes of an earlier download may be in it.
  var isResumed: Bool { get }
  /// Where it is, for people.
  var path: String { get }
  /// Where the files of a folder are before `place`; nil: it is a file.
  var filePlaces: FilePlaces? { get }

  /// Pages of chunk hashes that are known although no peer sent them: the part or the output has the files.
  var knownPages: [HashPage] { get }

  /// Writes verified bytes, at most 64 KiB, which must lie within the content.
  func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError)
  /// Fills the first `wanted` bytes of the span with bytes that were written.
  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError)
  /// Waits until what was written is on the disk. A failure is final, and every later call fails likewise.
  func syncData() throws(PartFileError)
  /// Waits until the names of the part and of its journal, or of the output, are on the disk.
  func syncFolder() throws(PartFileError)

  /// The journal of the part; an empty one if there was none.
  func openJournal() throws(PartFileError) -> JournalFile
  /// Removes the journal, and after `place` everything else that is left of the part. A failure is harmless.
  func removeJournal()
  /// The leaves, bit 0 a chunk's first, whose bytes are there and hash to what they should; chunks without any are left
  /// out. Works on `threads` threads, and returns what was found so far soon after `shouldStop` says so.
  func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)]

  /// Throws if the output cannot have its name: a caller asks before anything is downloaded. `place` asks again.
  /// - `force`: whether a file or a symbolic link of that name may be replaced.
  func checkPlace(_ name: String, force: Bool) throws(PartFileError)
  /// Where an output of that name is.
  func outputPath(_ outputName: String) -> String
  /// Gives the finished output its name, one component, at once or not at all. If it throws, the part stays.
  func place(as outputName: String, force: Bool) throws(PartFileError)
  /// The finished output under the name that it got, to read on for as long as no program changes it.
  func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput

  /// Lets another download take the part over. Nothing is written any more; threads that read it may go on.
  func release()
  /// Removes the part and its journal: nothing in them is worth a later `get`.
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

/// A finished output that is read on. Every read throws if another program has changed what it reads.
public protocol CheckedOutput: AnyObject, Sendable {
  /// Fills the first `wanted` bytes of the span, 64 KiB at most.
  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError)
}

extension CheckedFile: CheckedOutput {}
extension PartFile: PartStorage {}
