// Hints that wait for room on a connection: merged, bounded by the size of the file, and complete where they must be.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct HintBacklogTests {
  private let file = FileHandle(3)

  private func run(_ chunk: Int, _ first: Int, _ count: Int) -> LeafRun {
    LeafRun(chunk: ChunkIndex(UInt32(chunk)), leaves: LeafRange(first: first, count: count))
  }

  private func chunks(_ range: Range<Int>) -> [ChunkIndex] { range.map { ChunkIndex(UInt32($0)) } }

  private func peer(_ number: UInt8) -> PeerExchange.Entry {
    PeerExchange.Entry(
      ip: Array(repeating: number, count: 16), port: 1,
      peer: PeerID(digest: Digest(Array(repeating: number, count: 32))!))
  }

  private func all(_ backlog: inout HintBacklog) -> [Message] {
    var messages: [Message] = []
    while let message = backlog.next() { messages.append(message) }
    return messages
  }

  @Test func `leaves that arrive one by one are sent in one HAVE, each chunk once`() {
    var backlog = HintBacklog()
    for leaf in 0..<64 { for chunk in 0..<10 { backlog.add([run(chunk, leaf, 1)], of: file) } }
    let once = backlog.byteCount
    for _ in 0..<100 { backlog.add([run(4, 7, 9)], of: file) }
    let messages = (backlog.byteCount, all(&backlog))
    #expect(messages.0 == once, "what waits is bounded by the chunks of the file")
    #expect(messages.1 == [.have(Have(handle: file, runs: (0..<10).map { run($0, 0, 64) }))])
  }

  @Test func `each frame of hints is short, and no leaf of many is lost`() {
    var backlog = HintBacklog()
    // Every second leaf: the most runs that a chunk can have.
    for chunk in 0..<500 {
      for leaf in stride(from: 0, to: 64, by: 2) { backlog.add([run(chunk, leaf, 1)], of: file) }
    }
    backlog.add(promised: chunks(0..<10_000), of: file)
    var (runs, promised, frames) = (0, 0, 0)
    for message in all(&backlog) {
      var bytes: [UInt8] = []
      message.encode(into: &bytes)
      #expect(bytes.count <= HintBacklog.frameBytesMax)
      frames += 1
      switch message {
      case .have(let have): runs += have.runs.count
      case .promised(let chunks): promised += chunks.chunks.count
      default: Issue.record("\(message)")
      }
    }
    #expect(runs == 500 * 32 && promised == 10_000 && frames == 6 + 3)
    #expect(backlog.isEmpty && backlog.byteCount == 0)
  }

  @Test func `PROMISED beyond its limit and PEERS beyond one message are dropped`() {
    var backlog = HintBacklog()
    for _ in 0..<3 { backlog.add(promised: chunks(0..<100), of: file) }
    for handle in 0..<64 {
      backlog.add(promised: chunks(100 * handle..<100 * handle + 900), of: FileHandle(UInt32(handle)))
    }
    for number in UInt8(0)..<70 { backlog.add(peers: [peer(number)], of: file) }
    var (promised, peers) = (0, 0)
    for message in all(&backlog) {
      if case .promised(let chunks) = message { promised += chunks.chunks.count }
      if case .peers(let exchange) = message { peers += exchange.entries.count }
    }
    #expect(promised == HintBacklog.promisedMax && peers == ProtocolLimits.peersMax)
    #expect(backlog.isEmpty && backlog.byteCount == 0)
    backlog.add(promised: chunks(0..<1), of: file)
    #expect(all(&backlog).count == 1, "what was sent makes room")
  }

  @Test func `a closed handle loses its hints, and only HAVE stays when memory is short`() {
    var backlog = HintBacklog()
    for handle in [file, FileHandle(4), FileHandle(5)] {
      backlog.add(promised: chunks(0..<3), of: handle)
      backlog.add(peers: [peer(1)], of: handle)
    }
    backlog.add([run(0, 0, 1)], of: file)
    backlog.add([run(0, 0, 1)], of: FileHandle(4))
    backlog.remove(FileHandle(4))
    backlog.dropPromisedAndPeers()
    #expect(all(&backlog) == [.have(Have(handle: file, runs: [run(0, 0, 1)]))])
    #expect(backlog.byteCount == 0)
  }
}
