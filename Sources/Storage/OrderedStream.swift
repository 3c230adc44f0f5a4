// A file as a stream: verified pieces come in any order and leave in the file's, through a window that somebody else
// bounds.
import Posix
import Synchronization

/// Puts leaves in order and writes them to one descriptor. They are copied and wait for their turn; one that comes twice
/// (of two peers that were asked for it) is written once.
public final class OrderedStream: Sendable {
  private struct State {
    /// All bytes below are written, or being written.
    var next: UInt64 = 0
    /// Leaves by their offset.
    var waiting: [UInt64: [UInt8]] = [:]
    var isWriting = false
    var failure: Errno?
  }

  private let file: File
  private let leafSize: Int
  private let state = Mutex(State())

  /// Writes to `file` from its present position on. `leafSize` is that of the layout, in bytes.
  public init(_ file: consuming File, leafSize: Int) {
    self.file = file
    self.leafSize = leafSize
  }

  /// Takes whole leaves that belong at `offset`. Writes what is in order now; where another thread is writing, it is left
  /// to that one. Returns the offset below which all is written. Blocks while the reader does not read.
  public func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) -> UInt64 {
    let isMine = state.withLock { state in
      for start in stride(from: 0, to: bytes.byteCount, by: leafSize) {
        let at = offset + UInt64(start)
        guard at >= state.next, state.waiting[at] == nil else { continue }
        state.waiting[at] = bytes.extracting(start..<min(start + leafSize, bytes.byteCount)).copied
      }
      if state.isWriting { return false }
      state.isWriting = true
      return true
    }
    if isMine { writeInOrder() }
    let (next, failure) = state.withLock { ($0.next, $0.failure) }
    if let failure { throw .io(failure) }
    return next
  }

  /// After all `write`s have returned: throws if the reader did not take everything up to `length`.
  public func finish(length: UInt64) throws(PartFileError) {
    let (next, failure) = state.withLock { ($0.next, $0.failure) }
    if let failure { throw .io(failure) }
    precondition(next == length, "a leaf was never written")
  }

  private func writeInOrder() {
    while true {
      let leaf = state.withLock { state -> [UInt8]? in
        guard state.failure == nil, let leaf = state.waiting.removeValue(forKey: state.next) else {
          state.isWriting = false
          return nil
        }
        return leaf
      }
      guard let leaf else { return }
      do throws(Errno) {
        try file.write(leaf.span.bytes)
        state.withLock { $0.next += UInt64(leaf.count) }
      } catch {
        state.withLock { $0.failure = error }
      }
    }
  }
}
