// Brings the bytes of a stream from a thread to a task. A slow task delays the thread, and so the download.
import Posix

/// A bounded buffer between one thread that writes and the tasks that read.
final class BytePassage: Sendable {
  /// If this many bytes wait for a task, the thread waits.
  static let byteCountMax = 256 << 10

  private struct State {
    var bytes: [UInt8] = []
    /// Whether `close` was called. `put` throws from then on.
    var isClosed = false
    /// Tasks that wait for bytes. While there are any, `bytes` is empty.
    var readers: [CheckedContinuation<[UInt8]?, Never>] = []
  }
  private let state = Monitor(State())

  /// Adds bytes. Blocks while the buffer is full.
  /// - Throws: EPIPE after `close`.
  func put(_ bytes: RawSpan) throws(Errno) {
    let copy = bytes.copied
    let (isTaken, reader) = state.wait { state -> (Bool, CheckedContinuation<[UInt8]?, Never>?)? in
      if state.isClosed { return (false, nil) }
      if !state.readers.isEmpty { return (true, state.readers.removeFirst()) }
      guard state.bytes.count < BytePassage.byteCountMax else { return nil }
      state.bytes += copy
      return (true, nil)
    }
    reader?.resume(returning: copy)
    if !isTaken {
      throw Errno(code: Errno.brokenPipe, call: "write", subject: "the bytes of a download")
    }
  }

  /// Returns all bytes that wait, at least one; nil when no more will come. Suspends the task until then.
  func next() async -> [UInt8]? {
    await withCheckedContinuation { continuation in
      let next: [UInt8]?? = state.change { state in
        if !state.bytes.isEmpty {
          defer { state.bytes = [] }
          return .some(state.bytes)
        }
        if state.isClosed { return .some(nil) }
        state.readers.append(continuation)
        return nil
      }
      if let next { continuation.resume(returning: next) }
    }
  }

  /// Ends the stream. Bytes that wait can still be read.
  func close() {
    let readers = state.change { state in
      state.isClosed = true
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.resume(returning: nil) }
  }
}

extension BytePassage: Hashable {
  static func == (a: BytePassage, b: BytePassage) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
