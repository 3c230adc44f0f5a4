// A file whose bytes change although its times do not. Its readers report wrong data, and the node checks that. The
// file is served, or a running download shares it.
import Content
import Glibc
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct RecheckingTests {
  /// A file that is written to through a memory mapping. Its pages are made writable before the file is served, so that
  /// the kernel notices no later write to them.
  private final class Mapping {
    private let start: UnsafeMutableRawPointer
    private let byteCount: Int

    init(_ path: String, byteCount: Int) throws {
      let number = open(path, O_RDWR)
      defer { close(number) }
      guard number >= 0, let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0),
        start != MAP_FAILED
      else { throw SocketEnd.broken(errno) }
      (self.start, self.byteCount) = (start, byteCount)
      for offset in stride(from: 0, to: byteCount, by: 4_096) { change(offset, by: 0) }
    }

    deinit { munmap(start, byteCount) }

    func change(_ offset: Int, by bits: UInt8) {
      start.storeBytes(
        of: start.load(fromByteOffset: offset, as: UInt8.self) ^ bits, toByteOffset: offset, as: UInt8.self)
    }
  }

  @Test func `a file changed through a mapping is withdrawn when a reader reports it, and served again`()
    throws
  {
    let folder = TemporaryFolder()
    folder.write(Sample.common.name, Sample.common.bytes)
    let mapping = try Mapping(folder(Sample.common.name), byteCount: Sample.common.bytes.count)
    let followed = try Followed([], folder: folder)
    #expect(followed.news.includes("+ \(Sample.common.name)"))
    let offset = 1 << 20 + 5 * 16_384 + 3
    mapping.change(offset, by: 0x55)
    var changed = Sample.common.bytes
    changed[offset] ^= 0x55

    let first = try fetch(from: [followed.server.address], settings: impatient())
    #expect(first.output == nil)
    #expect(followed.news.includes("- \(Sample.common.name)"), "the reader's word is looked at")
    #expect(followed.news.includes("+ \(Sample.common.name)"), "it is hashed anew, although its times are the same")
    let now = Sample(Sample.common.name, bytes: changed)
    let second = try fetch(now.fileID, from: [followed.server.address])
    #expect(second.output == changed && second.banned.isEmpty)
  }

  @Test func `both names of a changed file are withdrawn`() throws {
    let folder = TemporaryFolder()
    folder.write("one", Sample.small.bytes)
    let mapping = try Mapping(folder("one"), byteCount: Sample.small.bytes.count)
    #expect(link(folder("one"), folder("two")) == 0)
    let followed = try Followed([], folder: folder)
    mapping.change(3, by: 1)
    let client = try followed.client(of: .small)
    _ = try client.fetch(0, count: 1)
    try client.send(.goodbye(Goodbye(code: .badData, text: "")))
    var changed = Sample.small.bytes
    changed[3] ^= 1
    let names = Set((0..<2).compactMap { _ in followed.news.next { $0.hasPrefix("- ") } })
    #expect(names == ["- one", "- two"])
    let again = Set((0..<2).compactMap { _ in followed.news.next { $0.hasPrefix("+ ") } })
    #expect(again == ["+ one", "+ two"])
    _ = try followed.client(of: Sample("one", bytes: changed))
  }

  @Test func `false reports about an unchanged file withdraw nothing and cost one check`() throws {
    let followed = try Followed([.common])
    let honest = try followed.client(of: .common)
    for _ in 0..<20 {
      let liar = try followed.client(of: .common)
      _ = try liar.fetch(1, count: 4)
      try liar.send(.goodbye(Goodbye(code: .badData, text: "it is wrong")))
    }
    let deadline = Clock.monotonicNanoseconds + 20_000_000_000
    let leaves = LeafRange(first: 0, count: 4)
    while followed.server.context.rechecker.checkedCount == 0, Clock.monotonicNanoseconds < deadline {
      #expect(try honest.fetch(0, count: 4) == Sample.common.leaves(leaves, of: ChunkIndex(0)))
    }
    let checked = followed.server.context.rechecker.checkedCount
    #expect(checked >= 1 && checked <= 4, "\(checked)")
    #expect(try honest.fetch(2, count: 4) == Sample.common.leaves(leaves, of: ChunkIndex(2)))
    _ = try followed.client(of: .common)
    #expect(followed.server.figures.withdrawn == 0)
  }

  @Test func `other ends, and reports of peers that were sent nothing, cause no check`() throws {
    let followed = try Followed([.common])
    let silent = try followed.client(of: .common)
    try silent.send(.goodbye(Goodbye(code: .badData, text: "")))
    let done = try followed.client(of: .common)
    _ = try done.fetch(1, count: 4)
    try done.send(.goodbye(Goodbye(code: .done, text: "")))
    for peer in [silent, done] { while (try? peer.receive()) != nil {} }
    #expect(followed.server.context.rechecker.checkedCount == 0)
  }

  @Test func `no chunk is checked after the node has stopped`() throws {
    let node = try Node(NodeConfiguration())
    let rechecker = node.context.rechecker
    let chunk = Rechecker.Item(.download(Sample.common.fileID), ChunkIndex(0))
    func ask(_ host: UInt8) {
      let ip = Array(repeating: UInt8(0), count: 10) + [255, 255, 127, 0, 0, host]
      rechecker.ask([chunk], from: AddressGroup(ip: ip), node.context)
    }
    let deadline = Clock.monotonicNanoseconds + 20_000_000_000
    ask(1)
    while rechecker.checkedCount == 0, Clock.monotonicNanoseconds < deadline {}
    // The leaf was checked just now, so its next check waits for seconds.
    ask(2)
    try #require(rechecker.checkedCount == 1 && rechecker.isRunning)
    node.shutDown(grace: .zero)
    #expect(!rechecker.isRunning)
    ask(3)
    #expect(!rechecker.isRunning && rechecker.checkedCount == 1)
  }

  @Test(arguments: [4, 64])
  func `a changed part file is withdrawn when a reader reports it, and the download ends`(leafCount: Int) throws {
    let sample = Sample("even.bin", byteCount: 3 << 20, seed: 3)
    let (leaves, firstFour) = (LeafRange(first: 0, count: leafCount), LeafRange(first: 0, count: 4))
    let asked = BlockingQueue<ChunkIndex>()
    var script = SourceScript(sample)
    // The source sends only a part of the first request's leaves.
    script.onRequest = { peer, request, sample in
      guard request.id == RequestID(1) else { return }
      asked.put(request.chunk)
      try peer.send(each: sample.answer(request).prefix(leafCount / 4))
    }
    let source = try FakeSource(script)
    let getter = try SharingGetter(sample.fileID, from: [source.address])
    defer {
      getter.cancel()
      source.stop()
    }
    let watchdog = Watchdog(seconds: 20) { asked.close() }
    defer { withExtendedLifetime(watchdog) {} }
    let chunk = try #require(asked.take())
    let onlooker = try getter.dial()
    try onlooker.openPart(of: sample.fileID, until: LeafRun(chunk: chunk, leaves: leaves))
    let reader = try getter.dial()
    try reader.openPart(of: sample.fileID, until: LeafRun(chunk: chunk, leaves: leaves))
    let offset = Int(sample.layout.offset(of: chunk)) + 3
    getter.folder.write(PartFile.name(of: sample.fileID), [sample.bytes[offset] ^ 1], at: offset, mode: 0o600)
    try reader.send(reader.requestMessage(chunk.rawValue, count: 4))
    let (_, bytes) = try reader.answerWithLeaves()
    #expect(bytes.count == 4 << 14 && bytes != sample.leaves(firstFour, of: chunk))
    try reader.send(.goodbye(Goodbye(code: .badData, text: "")))
    #expect(try onlooker.answer() == .withdrawn(Withdrawn(handle: ScriptedPeer.handle, reason: .changed)))
    #expect(throws: DownloadError.self) { try getter.ended() }
    #expect(!getter.folder.exists(sample.name))
  }
}
