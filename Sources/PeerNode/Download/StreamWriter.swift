// The thread that passes a stream on: it alone waits for the reader.
import Content
import Posix
import Storage

/// Writes an `OrderedStream` from its start to its end.
struct StreamWriter {
  let stream: OrderedStream

  /// Starts to write. Reports to the download how far it is, by whole chunks, and when it fails.
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

  /// All has come: `streamEnded` follows when the reader has taken it, however long that takes.
  func close() { stream.close(discarding: false) }

  /// Drops the bytes that are not written. A reader that never reads again holds up this thread and no other.
  func abandon() { stream.close(discarding: true) }
}
