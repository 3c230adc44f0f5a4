// A file as a stream: verified pieces come in any order and leave in the file's, through a window that the
// caller bounds.
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
  private let leafSize: Int
  private let state = Mutex(State())
  /// In order, for the writer.
  private let queue = BlockingQueue<[UInt8]>()

  /// Writes to `file` from its present position on. `leafSize` is that of the layout, in bytes.
  public init(_ file: consuming File, leafSize: Int) {
    self.file = file
    self.leafSize = leafSize
  }

  /// Takes whole leaves that belong at `offset`, never waiting for the reader.
  /// - Throws: if writing has failed before.
  public func put(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let failure = state.withLock { state in
      for start in stride(from: 0, to: bytes.byteCount, by: leafSize) {
        let at = offset + UInt64(start)
        guard at >= state.next, state.waiting[at] == nil else { continue }
        state.waiting[at] = bytes.extracting(start..<min(start + leafSize, bytes.byteCount)).copied
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

  /// Writes what is in order, until `close`. Blocks while the reader does not read.
  /// - `step`: `onProgress` is told of every multiple of so many bytes that has been passed.
  /// - Throws: what cannot be written, at once; nothing more is written then.
  public func writeAll(step: UInt64, onProgress: (_ below: UInt64) -> Void) throws(PartFileError) {
    while let leaf = queue.take() {
      do throws(Errno) { try file.write(leaf.span.bytes) } catch {
        state.withLock { $0.failure = error }
        queue.close(discarding: true)
        throw .io(error)
      }
      let written = state.withLock { state in
        state.written += UInt64(leaf.count)
        return state.written
      }
      if written / step != (written - UInt64(leaf.count)) / step { onProgress(written) }
    }
  }

  /// Nothing more comes. `discarding`: what is not written yet is dropped.
  public func close(discarding: Bool) { queue.close(discarding: discarding) }

  /// After `writeAll` has returned: throws if the reader did not take everything up to `length`.
  public func finish(length: UInt64) throws(PartFileError) {
    let (written, failure) = state.withLock { ($0.written, $0.failure) }
    if let failure { throw .io(failure) }
    precondition(written == length, "a leaf was never written")
  }
}
