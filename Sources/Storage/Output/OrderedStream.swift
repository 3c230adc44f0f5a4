// Writes a content as a stream. Verified pieces come in any order and leave in the content's order, within a window
// that the caller bounds. The contents of a folder, or the wanted part of them, leave as a tar archive.
import Content
import Posix
import Synchronization

/// A file that several owners share.
public final class OpenFile: Sendable {
  let file: File
  public init(_ file: consuming File) { self.file = file }
}

/// The destination of a stream.
public enum StreamOutput: Sendable {
  /// Written from its present position on.
  case file(OpenFile)
  /// Called with the bytes in order. It may block.
  case passage(@Sendable (RawSpan) throws(Errno) -> Void)

  func write(_ bytes: RawSpan) throws(Errno) {
    switch self {
    case .file(let open): try open.file.write(bytes)
    case .passage(let put): try put(bytes)
    }
  }
}

/// Puts leaves in order and writes them to one destination, on a thread of its own, so that a slow reader delays
/// nothing else. Leaves are copied and wait for their turn. A leaf that two peers sent is written once.
public final class OrderedStream: Sendable {
  private struct State {
    var order: StreamOrder
    /// All wanted bytes below this offset are written.
    var written: UInt64
    var failure: Errno?
  }

  private let output: StreamOutput
  private let layout: ChunkLayout
  private let entries: EntrySet?
  private let state: Mutex<State>
  /// The leaves in order, for the writer.
  private let queue = BlockingQueue<StreamOrder.Leaf>()

  /// - `wanted`: the leaves to write.
  /// - `entries`: the entries of a folder that the archive has. The files among them contain the wanted leaves. Nil:
  ///   all.
  public init(
    _ output: StreamOutput, _ layout: ChunkLayout, wanted: WantedLeaves = .all,
    entries: EntrySet? = nil
  ) {
    self.output = output
    self.layout = layout
    self.entries = entries
    let order = StreamOrder(layout, wanted: wanted)
    state = Mutex(State(order: order, written: order.next))
  }

  /// Takes whole wanted leaves that belong at `offset`. Never waits for the reader.
  /// - Throws: if an earlier write failed.
  public func put(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let failure = state.withLock { state in
      let leaving = state.order.put(bytes.byteCount, at: offset) { bytes.extracting($0).copied }
      queue.put(contentsOf: leaving)  // under the lock, so that the queue has the content's order
      return state.failure
    }
    if let failure { throw .io(failure) }
  }

  /// Writes the leaves in order until `close`, and after the last one the end of an archive. Blocks while the reader
  /// does not read.
  /// - `step`: `onProgress` is called each time this many bytes are written.
  /// - `below`: all wanted bytes below this offset are written.
  /// - Throws: the first failure to write. Nothing is written after it.
  public func writeAll(step: UInt64, onProgress: (_ below: UInt64) -> Void) throws(PartFileError) {
    try Signals.withoutBrokenPipe { () throws(PartFileError) in
      try writeLeaves(step: step, onProgress: onProgress)
    }
  }

  private func writeLeaves(step: UInt64, onProgress: (_ below: UInt64) -> Void)
    throws(PartFileError)
  {
    var byteCount: UInt64 = 0
    while let leaf = queue.take() {
      try write(leaf)
      state.withLock { $0.written = leaf.next }
      byteCount += UInt64(leaf.bytes.count)
      if byteCount / step != (byteCount - UInt64(leaf.bytes.count)) / step { onProgress(leaf.next) }
    }
    if state.withLock({ $0.written == layout.fileLength }) { try writeEnd() }
  }

  /// Writes the end of an archive: the entries without bytes.
  public func writeTail() throws(PartFileError) {
    try Signals.withoutBrokenPipe { () throws(PartFileError) in try writeEnd() }
  }

  private func writeEnd() throws(PartFileError) {
    do throws(Errno) {
      try layout.folder?.forTarTail(of: entries) { (part: [UInt8]) throws(Errno) in try writeAll(part) }
    } catch {
      state.withLock { $0.failure = error }
      throw .io(error)
    }
  }

  /// Writes a leaf, with the archive's header before it and padding after it.
  private func write(_ leaf: StreamOrder.Leaf) throws(PartFileError) {
    do throws(Errno) {
      let run = layout.folder?.runs(at: leaf.offset, count: leaf.bytes.count).first
      if let folder = layout.folder, let run { try writeAll(folder.tarHeader(before: run)) }
      try output.write(leaf.bytes.span.bytes)
      if let folder = layout.folder, let run { try writeAll(folder.tarPadding(after: run)) }
    } catch {
      state.withLock { $0.failure = error }
      queue.close(discarding: true)
      throw .io(error)
    }
  }

  private func writeAll(_ bytes: [UInt8]) throws(Errno) {
    if !bytes.isEmpty { try output.write(bytes.span.bytes) }
  }

  /// Ends the stream. `discarding`: whether leaves that are not written yet are dropped.
  public func close(discarding: Bool) { queue.close(discarding: discarding) }

  /// Throws if writing failed. Call it after `writeAll`, with the content's length.
  public func finish(length: UInt64) throws(PartFileError) {
    let (written, failure) = state.withLock { ($0.written, $0.failure) }
    if let failure { throw .io(failure) }
    precondition(written == length, "a leaf was never written")
  }
}
