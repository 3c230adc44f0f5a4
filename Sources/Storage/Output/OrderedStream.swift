// A content as a stream: verified pieces come in any order and leave in the content's, through a window that the
// caller bounds. The contents of a folder leave as a tar archive.
import Content
import Posix
import Synchronization

/// Puts leaves in order and writes them to one descriptor, on a thread of its own: a reader that pauses holds up nobody
/// but itself. Leaves are copied and wait for their turn; one that comes twice (of two peers that were asked for it) is
/// written once.
public final class OrderedStream: Sendable {
  private struct State {
    /// All bytes below are handed to the writer.
    var next: UInt64 = 0
    /// Leaves by their offset.
    var waiting: [UInt64: [UInt8]] = [:]
    /// All bytes below are written.
    var written: UInt64 = 0
    var failure: Errno?
  }

  private let file: File
  private let layout: ChunkLayout
  private let state = Mutex(State())
  /// In order, for the writer.
  private let queue = BlockingQueue<[UInt8]>()

  /// Writes to `file` from its present position on.
  public init(_ file: consuming File, _ layout: ChunkLayout) {
    self.file = file
    self.layout = layout
  }

  /// Takes whole leaves that belong at `offset`, never waiting for the reader.
  /// - Throws: if writing has failed before.
  public func put(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let parts = layout.folder.map { $0.runs(at: offset, count: bytes.byteCount).map(\.count) } ?? [bytes.byteCount]
    let failure = state.withLock { state in
      var begin = 0
      // The leaves of each file.
      for part in parts {
        for start in stride(from: begin, to: begin + part, by: layout.leafSize) {
          let at = offset + UInt64(start)
          guard at >= state.next, state.waiting[at] == nil else { continue }
          state.waiting[at] = bytes.extracting(start..<min(start + layout.leafSize, begin + part)).copied
        }
        begin += part
      }
      var ready: [[UInt8]] = []
      while let leaf = state.waiting.removeValue(forKey: state.next) {
        state.next += UInt64(leaf.count)
        ready.append(leaf)
      }
      queue.put(contentsOf: ready)  // under the lock: the queue's order is the file's
      return state.failure
    }
    if let failure { throw .io(failure) }
  }

  /// Writes what is in order, until `close`, and after all of it the end of an archive. Blocks while the reader does not read.
  /// - `step`: `onProgress` is told of every multiple of so many bytes that has been passed.
  /// - Throws: what cannot be written, at once; nothing more is written then.
  public func writeAll(step: UInt64, onProgress: (_ below: UInt64) -> Void) throws(PartFileError) {
    var offset: UInt64 = 0
    while let leaf = queue.take() {
      try write(leaf, at: offset)
      offset += UInt64(leaf.count)
      let written = state.withLock { state in
        state.written += UInt64(leaf.count)
        return state.written
      }
      if written / step != (written - UInt64(leaf.count)) / step { onProgress(written) }
    }
    if offset == layout.fileLength { try writeTail() }
  }

  /// Writes the end of an archive: entries without bytes.
  public func writeTail() throws(PartFileError) {
    do throws(Errno) { try layout.folder?.forTarTail { (part: [UInt8]) throws(Errno) in try writeAll(part) } } catch {
      state.withLock { $0.failure = error }
      throw .io(error)
    }
  }

  /// Writes a leaf, with what an archive has before and after it.
  private func write(_ leaf: [UInt8], at offset: UInt64) throws(PartFileError) {
    do throws(Errno) {
      let run = layout.folder?.runs(at: offset, count: leaf.count).first
      if let folder = layout.folder, let run { try writeAll(folder.tarHeader(before: run)) }
      try file.write(leaf.span.bytes)
      if let folder = layout.folder, let run { try writeAll(folder.tarPadding(after: run)) }
    } catch {
      state.withLock { $0.failure = error }
      queue.close(discarding: true)
      throw .io(error)
    }
  }

  private func writeAll(_ bytes: [UInt8]) throws(Errno) { if !bytes.isEmpty { try file.write(bytes.span.bytes) } }

  /// Nothing more comes. `discarding`: what is not written yet is dropped.
  public func close(discarding: Bool) { queue.close(discarding: discarding) }

  /// After `writeAll` has returned: throws if the reader did not take everything up to `length`.
  public func finish(length: UInt64) throws(PartFileError) {
    let (written, failure) = state.withLock { ($0.written, $0.failure) }
    if let failure { throw .io(failure) }
    precondition(written == length, "a leaf was never written")
  }
}
