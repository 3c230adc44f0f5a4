// How a download handles the addresses that it is given: other ciphers, other swarms, itself, one peer twice.
import Content
import Posix
import Sodium
import Synchronization
import Testing
import Transfer
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct DiallingTests {
  @Test func `a source that supports only ChaChaPoly is dialled once more with it`() throws {
    var script = SourceScript()
    script.suites = [.chaChaPoly]
    let source = try FakeSource(script)
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], suites: [.aesGCM, .chaChaPoly])
    #expect(fetched.output == Sample.common.bytes)
    #expect(source.log.connections == 2)
    #expect(source.log.suites == [.chaChaPoly])
  }

  @Test func `a source that keeps asking for ChaChaPoly is dialled twice and no more`() throws {
    let answer = Preamble(suite: .chaChaPoly, pattern: .xx).encode()
    let source = try FakeSource { _, socket in
      _ = try? socket.receive(exactly: 50)
      try? socket.send(answer)
    }
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], suites: [.aesGCM, .chaChaPoly])
    guard case .unreachable? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(source.log.connections == 2)
  }

  @Test func `a private source that resets the connection is dialled once more with ChaChaPoly`() throws {
    let listener = try BlockingSocket()
    let preambles = Mutex<[[UInt8]]>([])
    let accepting = Thread.start(name: "resetting-source") {
      while let socket = listener.accept() {
        // It is closed while message 1 is unread, so the kernel sends a reset.
        let preamble = try? socket.receive(exactly: Preamble.byteCount)
        preambles.withLock { $0.append(preamble ?? []) }
      }
    }
    let fetched = try fetch(
      from: [.loopback(listener.port)], swarm: try SwarmKey(.random()), suites: [.aesGCM, .chaChaPoly])
    listener.shutDown()
    accepting.join()
    let offered = [CipherSuite.aesGCM, .chaChaPoly].map { Preamble(suite: $0, pattern: .xxpsk0).encode() }
    #expect(preambles.withLock { $0 } == offered)
    guard case .notAdmitted? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
  }

  static let greetings: [[UInt8]] = [
    [], [0], Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0, 0], [0, 95], [2, 1], [255, 255],
    [0, 96] + [UInt8](repeating: 0, count: 96), [0, 96] + [UInt8](repeating: 255, count: 96),
    Array("p2pnode".utf8), Array("p2pnode".utf8) + [2], Array("p2pnode".utf8) + [1, 2, 0, 0, 0, 0, 0, 0, 0],
    Array("p2pnode".utf8) + [1, 1, 1, 0, 0, 0, 0, 0, 0], Array("p2pnode".utf8) + [1, 9, 9, 9, 9, 9, 9, 9, 9],
  ]

  @Test(arguments: greetings)
  func `whatever a stranger answers, the download only fails to reach it`(_ greeting: [UInt8]) throws {
    let stranger = try FakeSource { _, socket in
      _ = try? socket.receive(exactly: 50)
      try? socket.send(greeting)
    }
    defer { stranger.stop() }
    let fetched = try fetch(from: [stranger.address], suites: [.chaChaPoly])
    #expect(fetched.output == nil)
    if case .dialFailed? = fetched.outcome(of: stranger.address) {} else { Issue.record("\(fetched.result)") }
  }

  @Test func `a peer other than the pinned one does not learn who dialled`() throws {
    let source = try FakeSource()
    let fetched = try fetch(from: [source.address], pinned: StaticIdentity.random().peerID)
    source.stop()
    #expect(fetched.outcome(of: source.address) == .dialFailed(.wrongPeer))
    #expect(source.log.messages.isEmpty)
    #expect(source.log.failures.count == 1)
  }

  @Test func `one connection is kept to a peer with several addresses`() throws {
    let identity = StaticIdentity.random()
    let script = SourceScript()
    let source = try FakeSource(identity: identity, onAll: true) { source, socket in
      guard let peer = try? ScriptedPeer(accepting: socket, as: identity) else { return }
      try? source.converse(with: peer, script)
    }
    defer { source.stop() }
    let port = source.address.port
    let fetched = try fetch(from: (1...3).map { .loopback(port, last: $0) })
    source.stop()
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.stats?.peers.count == 1)
    let opens = source.log.messages.filter { if case .open = $0 { true } else { false } }
    #expect(opens.count == 1)
    #expect(source.log.goodbyes.filter { $0 == .duplicateConnection }.count == source.log.connections - 1)
    #expect(fetched.banned.isEmpty)
  }

  @Test func `a download that dials its own identity detects it`() throws {
    let identity = StaticIdentity.random()
    let source = try FakeSource(identity: identity)
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], as: identity)
    #expect(fetched.outcome(of: source.address) == .dialFailed(.ourselves))
  }

  @Test func `a download without the right swarm key opens no file`() throws {
    let key = try SwarmKey(.random())
    var script = SourceScript()
    script.swarm = key
    script.onOpen = { peer, open, sample in try peer.offer(sample, as: open.handle, swarm: key) }
    let source = try FakeSource(script)
    defer { source.stop() }
    for swarm in [nil, try SwarmKey(.random())] {
      let fetched = try fetch(from: [source.address], swarm: swarm)
      guard case .notAdmitted? = fetched.failure else {
        Issue.record("\(fetched.result)")
        return
      }
    }
    #expect(source.log.messages.isEmpty)
    #expect(try fetch(from: [source.address], swarm: key).output == Sample.common.bytes)
  }

  @Test func `a peer without the file learns only its bucket and a proof, and not the fileID`() throws {
    var script = SourceScript()
    script.onOpen = { peer, open, _ in try peer.refuse(open.handle, .noSuchFile) }
    let stranger = try FakeSource(script)
    _ = try fetch(from: [stranger.address])
    stranger.stop()
    let log = stranger.log
    #expect(log.decrypted.count == 1)
    let heard = try #require(log.decrypted.first)
    guard case .open(let open)? = log.messages.first else {
      Issue.record("\(log)")
      return
    }
    #expect(log.messages.dropFirst().allSatisfy { $0.goodbyeCode != nil })
    #expect(heard.starts(with: Message.open(open).frame))
    #expect(open.bucket == FileKey(Sample.common.fileID, swarm: nil).bucket)
    for secret in [Sample.common.fileID.digest, Sample.common.file.root] {
      #expect(!contains(heard, secret.bytes))
      #expect(!contains(heard, Array(secret.bytes.prefix(8))))
    }
    #expect(!contains(heard, Array(Sample.common.name.utf8)))
  }

  @Test func `a Downloader fetches a second file after the first`() throws {
    let other = Sample("other.bin", byteCount: 1_500_000, seed: 5)
    let source = try FakeSource()
    var script = SourceScript()
    script.sample = other
    let second = try FakeSource(script)
    defer { [source, second].forEach { $0.stop() } }
    let downloader = Downloader(NodeConfiguration(identity: .random()))
    // Remains of one download do not affect the next.
    for _ in 0..<5 {
      #expect(try fetch(from: [source.address], with: downloader).output == Sample.common.bytes)
      #expect(try fetch(other.fileID, from: [second.address], with: downloader).output == other.bytes)
    }
    #expect(source.log.connections == 5)
    #expect(second.log.connections == 5)
  }
}

/// Whether `bytes` contains `needle`.
func contains(_ bytes: [UInt8], _ needle: [UInt8]) -> Bool {
  guard let first = needle.first, bytes.count >= needle.count else { return false }
  return bytes.withUnsafeBufferPointer { bytes in
    needle.withUnsafeBufferPointer { needle in
      for start in 0...(bytes.count - needle.count) where bytes[start] == first {
        if (0..<needle.count).allSatisfy({ bytes[start + $0] == needle[$0] }) { return true }
      }
      return false
    }
  }
}
