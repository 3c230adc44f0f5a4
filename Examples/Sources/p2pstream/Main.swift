// Streams a file to a consumer: it counts the lines of a text while the file arrives, and writes nothing to a disk.
//
//   p2pnode serve logs --links          # on the machine that has it: prints a LINK for each file
//   swift run --package-path Examples p2pstream LINK
//
// The bytes come in order, and each one is verified. If the consumer is slow, the download waits for it.
import Foundation
import P2P

/// What the bytes are for. A decompressor or a parser has the same shape.
struct LineCounter {
  private(set) var (lines, bytes) = (0, 0)

  mutating func consume(_ part: [UInt8]) {
    lines += part.count { $0 == UInt8(ascii: "\n") }
    bytes += part.count
  }
}

@main struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 2 else {
      print("usage: p2pstream LINK")
      exit(64)
    }
    let link = try FileLink(parsing: arguments[1])
    let bytes = Downloader(storage: DownloadTarget(folder: "."), client: PeerClient()).bytes(of: link)
    var counter = LineCounter()
    do {
      for try await part in bytes { counter.consume(Array(part)) }
      print("\(counter.lines) lines, \(counter.bytes) bytes")
    } catch {
      // All bytes so far were right, but they are not the whole file.
      print("failed after \(counter.bytes) bytes: \(error)")
      exit(1)
    }
  }
}
