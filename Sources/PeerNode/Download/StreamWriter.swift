// The thread that writes a stream to its reader. No other thread waits for the reader.
import Content
import Posix
import Storage

/// Writes an `OrderedStream` from its start to its end.
struct StreamWriter {
  let stream: OrderedStream

  /// Starts to write. Reports to the download how far it is, in whole chunks, and a failure.
  init(_ stream: OrderedStream, chunkSize: Int, link: DownloadLink) {
    self.stream = stream
    Thread.start(name: "p2p-stream") {
      do throws(PartFileError) {
        try stream.writeAll(step: UInt64(chunkSize)) { link.send(.streamed(below: $0)) }
      } catch {
        link.send(.writeFailed(error))
      }
      link.send(.streamEnded)
    }.detach()
  }

  /// Ends a complete stream. `streamEnded` follows when the reader has read all of it, however long that takes.
  func close() { stream.close(discarding: false) }

  /// Drops bytes that are not written yet. A reader that never reads again blocks only this thread.
  func abandon() { stream.close(discarding: true) }
}
