// Sources that refuse, stall, vanish or send nonsense. The download continues with others, and no peer is banned.
import Content
import Posix
import Testing
import Transfer
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct SilentSourceTests {
  /// A way to be useless.
  struct Fault: Sendable, CustomStringConvertible {
    let description: String
    let script: SourceScript
  }

  static func fault(_ description: String, _ change: (inout SourceScript) -> Void) -> Fault {
    var script = SourceScript()
    change(&script)
    return Fault(description: description, script: script)
  }

  static let faults: [Fault] = [
    fault("BUSY to every request") {
      $0.onRequest = { peer, request, _ in try peer.send(.busy(Busy(id: request.id, retryAfterMilliseconds: 10))) }
    },
    fault("BUSY for ever") {
      $0.onRequest = { peer, request, _ in try peer.send(.busy(Busy(id: request.id, retryAfterMilliseconds: .max))) }
    },
    fault("no such file") { $0.onOpen = { peer, open, _ in try peer.refuse(open.handle, .noSuchFile) } },
    fault("too many files open") { $0.onOpen = { peer, open, _ in try peer.refuse(open.handle, .tooManyFilesOpen) } },
    fault("not allowed") { $0.onOpen = { peer, open, _ in try peer.refuse(open.handle, .notAllowed) } },
    fault("OPEN never answered") { $0.onOpen = { _, _, _ in } },
    fault("PAGE_GET never answered") { $0.onPageGet = { _, _, _ in } },
    fault("requests never answered") { $0.onRequest = { _, _, _ in } },
    fault("half a record, then nothing") {
      $0.onRequest = { peer, request, sample in
        let records = peer.seal(sample.answer(request)[0])
        try peer.socket.send(Array(records.prefix(records.count / 2)))
      }
    },
    fault("a frame that is announced and does not come") {
      $0.onOpen = { peer, _, _ in try peer.send(frames: [0, 0, 1, 0]) }
    },
    fault("closed at once") { $0.onConnect = { $0.socket.shutDown() } },
    fault("closed midway") {
      $0.onRequest = { peer, request, sample in
        try peer.send(frames: sample.answer(request)[0])
        peer.socket.shutDown()
      }
    },
    fault("GOODBYE at once") { $0.onConnect = { try $0.send(.goodbye(Goodbye(code: .shuttingDown))) } },
    fault("GOODBYE to the first request") {
      $0.onRequest = { peer, _, _ in try peer.send(.goodbye(Goodbye(code: .tooManyConnections, text: "\u{1B}[2J"))) }
    },
    fault("withdrawn midway") {
      $0.onRequest = { peer, request, sample in
        let frames = sample.answer(request)
        try peer.send(frames: frames[0] + Message.withdrawn(Withdrawn(handle: request.handle, reason: .changed)).frame)
      }
    },
    fault("withdrawn again and again") {
      $0.onRequest = { peer, request, _ in
        let frame = Message.withdrawn(Withdrawn(handle: request.handle, reason: .removed)).frame
        for _ in 0..<50 { try peer.send(frames: frame) }
      }
    },
    fault("a partial file") { $0.onOpen = { try $0.offer($2, as: $1.handle, availability: .partial) } },
  ]

  @Test(arguments: faults)
  func `a useless source is not banned, and the honest peer sends the file`(_ fault: Fault) throws {
    let useless = try FakeSource(fault.script)
    let honest = try FakeSource()
    defer { [useless, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [useless.address, honest.address], settings: impatient())
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.banned == [])
    #expect(fetched.liars == [])
    #expect(fetched.stats?.bytes == UInt64(Sample.common.bytes.count))
  }

  @Test func `a record that does not open ends the connection without a byte`() throws {
    var script = SourceScript()
    script.onOpen = { peer, open, sample in
      var record = peer.seal(Message.ping(1).frame)
      record[record.count - 1] ^= 1
      try peer.socket.send(record)
    }
    let broken = try FakeSource(script)
    let honest = try FakeSource(.after(broken))
    defer { [broken, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [broken.address, honest.address])
    broken.stop()
    #expect(fetched.output == Sample.common.bytes)
    #expect(broken.log.goodbyes.isEmpty)
    #expect(fetched.banned == [])
  }

  @Test func `frames of unknown odd types are skipped, also between the pieces of an answer`() throws {
    var script = SourceScript()
    let extension1 = frame(type: 0x41, body: [UInt8](repeating: 7, count: 65_535))
    script.onRequest = { peer, request, sample in
      for data in sample.answer(request) {
        try peer.send(frames: frame(type: 0xFF, body: []) + data + extension1)
      }
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    let fetched = try fetch(from: [source.address])
    #expect(fetched.output == Sample.common.bytes)
    #expect(source.log.connections == 1)
  }

  @Test func `hints beyond the file and needless messages are accepted without effect`() throws {
    var script = SourceScript()
    script.onPageGet = { peer, get, sample in
      let beyond = LeafRun(chunk: ChunkIndex(.max), leaves: LeafRange(first: 63, count: 1))
      let bitmap = Bitmap(handle: get.handle, firstChunk: ChunkIndex(4096), count: 9, bits: [255, 128])
      let entry = PeerExchange.Entry(ip: [UInt8](repeating: 255, count: 16), port: 0, peer: PeerID(digest: .zero))
      for message: Message in [
        .have(Have(handle: get.handle, runs: [beyond])), .bitmap(bitmap),
        .peers(PeerExchange(handle: get.handle, entries: [entry])), .pong(3), .ping(4),
      ] {
        try peer.send(message)
      }
      try peer.send(sample.page(get))
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    let fetched = try fetch(from: [source.address])
    #expect(fetched.output == Sample.common.bytes)
    #expect(source.log.messages.contains(.pong(4)))
  }

  @Test func `an answer that arrives too late is dropped without blame`() throws {
    var script = SourceScript()
    let late = BlockingQueue<Bool>()
    script.onRequest = { peer, request, sample in
      guard request.id == RequestID(1) else { return try peer.send(each: sample.answer(request)) }
      // Wait until the requester has cancelled the request.
      while true { if case .cancel(request.id) = try peer.receive().message { break } }
      late.put(true)
      try peer.send(each: sample.answer(request))
    }
    let source = try FakeSource(script)
    defer { source.stop() }
    let fetched = try fetch(from: [source.address], settings: impatient(.milliseconds(500)))
    #expect(fetched.output == Sample.common.bytes)
    late.close()
    source.stop()
    #expect(late.take() == true, "the answer was late")
    #expect(fetched.banned == [])
    #expect(source.log.connections == 1)
    #expect(source.log.goodbyes == [.done])
    #expect(fetched.retries.contains(.timeout))
  }

  @Test func `a peer that answers nothing uses up the retries, and the download names the chunk`() throws {
    var script = SourceScript()
    script.sample = .small
    script.onRequest = { _, _, _ in }
    let source = try FakeSource(script)
    defer { source.stop() }
    var settings = impatient(.milliseconds(200))
    settings.maxRetries = 1
    let fetched = try fetch(Sample.small.fileID, from: [source.address], settings: settings)
    #expect(fetched.failure == .outOfRetries(ChunkIndex(0)))
    #expect(fetched.stats?.failedChunks == 1)
    #expect(fetched.retries == [.timeout])
  }

  @Test func `if all peers refuse, the download reports that no peer has the file`() throws {
    var script = SourceScript()
    script.onOpen = { peer, open, _ in try peer.refuse(open.handle, .noSuchFile) }
    let sources = try (0..<2).map { _ in try FakeSource(script) }
    defer { sources.forEach { $0.stop() } }
    let fetched = try fetch(from: sources.map(\.address))
    guard case .notFound? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    for source in sources { #expect(fetched.outcome(of: source.address) == .refused(.noSuchFile)) }
  }
}
