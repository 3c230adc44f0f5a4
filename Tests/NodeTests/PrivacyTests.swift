// What an eavesdropper on the path sees: only records, not their content.
import Content
import Posix
import Synchronization
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

/// An eavesdropper between a dialer and a server. It forwards all bytes and keeps a copy.
final class Eavesdropper: Sendable {
  let address: Endpoint
  private let listener: BlockingSocket
  private let heard = Mutex<[UInt8]>([])
  private let thread = Mutex<Thread?>(nil)

  init(before server: Endpoint) throws {
    listener = try BlockingSocket()
    address = .loopback(listener.port)
    let accepting = Thread.start(name: "eavesdropper") { [self] in
      while let near = listener.accept() {
        guard let far = try? BlockingSocket(dialling: server) else { continue }
        let back = Thread.start(name: "eavesdropper") { self.pass(from: far, to: near) }
        pass(from: near, to: far)
        back.join()
      }
    }
    thread.withLock { $0 = accepting }
  }

  /// Stops, and returns all bytes that went over the wire in both directions.
  func stop() -> [UInt8] {
    listener.shutDown()
    thread.withLock { $0.take() }?.join()
    return heard.withLock { $0 }
  }

  private func pass(from: BlockingSocket, to: BlockingSocket) {
    while let bytes = try? from.receive(upTo: 64 << 10) {
      heard.withLock { $0 += bytes }
      guard (try? to.send(bytes)) != nil else { break }
    }
    to.finishSending()
  }
}

@Suite struct PrivacyTests {
  @Test(arguments: CipherSuite.available)
  func `an eavesdropper sees neither bytes nor name nor identifiers of the file`(_ suite: CipherSuite) throws {
    let line = "a secret line of text that is in the file again and again, "
    let secret = Array(String(repeating: line, count: 30_000).utf8)
    let sample = Sample("a-telling-name.txt", bytes: secret)
    let samples = try ServedSamples([sample])
    let eavesdropper = try Eavesdropper(before: samples.address)
    let fetched = try fetch(
      sample.fileID, from: [eavesdropper.address], suites: suite == .chaChaPoly ? [.chaChaPoly] : [suite, .chaChaPoly])
    let heard = eavesdropper.stop()
    #expect(fetched.output == secret)
    #expect(heard.count > secret.count, "it is all there, sealed")
    // The content is periodic, so these are all of its windows.
    let window = 16
    var windows: Set<[UInt8]> = []
    for start in 0..<line.utf8.count { windows.insert(Array(secret[start..<start + window])) }
    for window in windows { #expect(!contains(heard, window)) }
    for hidden in [
      Array(sample.name.utf8), sample.fileID.digest.bytes, sample.file.root.bytes, sample.file.chunkHashes[0].bytes,
      sample.leafHashes(of: ChunkIndex(0))[0].bytes, Array(sample.fileID.hex.utf8), samples.server.peerID.digest.bytes,
    ] {
      #expect(!contains(heard, Array(hidden.prefix(window))))
    }
    #expect(contains(heard, Array("p2pnode".utf8)), "the preamble is in the clear")
  }

  @Test func `a changed byte on the wire only costs the connection`() throws {
    let samples = try ServedSamples()
    let server = samples.address
    // Forwards the server's bytes, but flips one bit after the handshake.
    let meddler = try FakeSource { _, near in
      guard let far = try? BlockingSocket(dialling: server) else { return }
      let back = Thread.start(name: "meddler") {
        var passed = 0
        while var bytes = try? far.receive(upTo: 4096) {
          if passed <= 400, passed + bytes.count > 400 { bytes[400 - passed] ^= 4 }
          passed += bytes.count
          guard (try? near.send(bytes)) != nil else { break }
        }
        near.shutDown()
      }
      while let bytes = try? near.receive(upTo: 4096) { guard (try? far.send(bytes)) != nil else { break } }
      far.shutDown()
      back.join()
    }
    let honest = try FakeSource(.after(meddler))
    defer { [meddler, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [meddler.address, honest.address])
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.banned.isEmpty, "a path can damage a record: nobody lied")
  }
}
