// A content as a stream: verified pieces come in any order and leave in the content's, through a window that the
// caller bounds. The contents of a folder, or the wanted part of them, leave as a tar archive.
import Content
import Posix
import Synchronization

/// A file that several owners share.
public final class OpenFile: Sendable {
  let file: File
  public init(_ file: consuming File) { self.file = file }
}

/// The other side of a stream.
public enum StreamOutput: Sendable {
  /// From its present position on.
  case file(OpenFile)
  /// Called with the bytes in order. It may wait.
  case passage(@Sendable (RawSpan) throws(Errno) -> Void)

  func write(_ bytes: RawSpan) throws(Errno) {
    switch self {
    case .file(let open): try open.file.write(bytes)
    case .passage(let put): try put(bytes)
    }
  }
}

/// Puts leaves in order and writes them to one descriptor, on a thread of its own: a reader that pauses holds up nobody
/// but itself. Leaves are copied and wait for their turn; one that comes twice (of two peers that were asked for it) is
/// written once.
public final class OrderedStream: Sendable {
  private struct State {
    var order: StreamOrder
    /// All wanted bytes below are written.
    var written: UInt64
    var failure: Errno?
  }

  private let output: StreamOutput
  private let layout: ChunkLayout
  private let entries: EntrySet?
  private let state: Mutex<State>
  /// In order, for the writer.
  private let queue = BlockingQueue<StreamOrder.Leaf>()

  /// - `wanted`: the leaves that it writes.
  /// - `entries`: the entries of a folder that the archive has; the files among them have the wanted leaves. Nil: all.
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

  /// Takes whole wanted leaves that belong at `offset`, never waiting for the reader.
  /// - Throws: if writing has failed before.
  public func put(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    let failure = state.withLock { state in
      let leaving = state.order.put(bytes.byteCount, at: offset) { bytes.extracting($0).copied }
      queue.put(contentsOf: leaving)  // under the lock: the queue's order is the content's
      return state.failure
    }
    if let failure { throw .io(failure) }
  }

  /// Writes what is in order, until `close`, and after all of it the end of an archive. Blocks while the reader does not read.
  /// - `step`: `onProgress` is called each time that so many bytes are written.
  /// - `below`: all wanted bytes of the content below are written.
  /// - Throws: what cannot be written, at once; nothing more is written then.
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

  /// Writes the end of an archive: entries without bytes.
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

  /// Writes a leaf, with what an archive has before and after it.
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

  /// Nothing more comes. `discarding`: what is not written yet is dropped.
  public func close(discarding: Bool) { queue.close(discarding: discarding) }

  /// After `writeAll` has returned: throws if the reader did not take all that is wanted of a content of this length.
  public func finish(length: UInt64) throws(PartFileError) {
    let (written, failure) = state.withLock { ($0.written, $0.failure) }
    if let failure { throw .io(failure) }
    precondition(written == length, "a leaf was never written")
  }
}
