// Detects when a peer has a whole content, from what it was sent and what it requests.
import Content
import Testing

@testable import Transfer
@testable import Wire

struct FetchTallyTests {
  private var tally = FetchTally()
  /// Three chunks of 4, 4 and 2 leaves. The last leaf has one byte.
  private let layout = ChunkLayout(fileLength: 9 * 16 + 1, chunkSize: 64, leafSize: 16)!
  private let key = FetchTally.Key(peer: peer(1), content: content(1))

  private static func digest(_ byte: UInt8) -> Digest { Digest(Array(repeating: byte, count: 32))! }
  private static func peer(_ byte: UInt8) -> PeerID { PeerID(digest: digest(byte)) }
  private static func content(_ byte: UInt8) -> FileID { FileID(digest: digest(byte)) }
  private func at(_ seconds: Int) -> Instant { .zero + .seconds(seconds) }
  private var all: [(ChunkIndex, LeafRange)] {
    (0..<UInt32(layout.chunkCount)).map { (ChunkIndex($0), layout.leaves(of: ChunkIndex($0))) }
  }

  private mutating func send(_ pieces: [(ChunkIndex, LeafRange)], to key: FetchTally.Key, at now: Instant = .zero) {
    for (chunk, leaves) in pieces {
      tally.asked(leaves, of: chunk, key, at: now)
      tally.sent(leaves, of: chunk, key, at: now)
    }
  }

  @Test mutating func `a fetch is complete when every leaf was sent and the peer is done`() throws {
    let begun = tally.opened(key, layout, at: at(1))
    #expect(begun?.byteCount == 145)
    send(Array(all.dropLast()), to: key)
    #expect(tally.running.map(\.sentByteCount) == [128])
    tally.sent(LeafRange(first: 0, count: 1), of: ChunkIndex(2), key, at: at(2))
    #expect(tally.running.map(\.sentByteCount) == [144])
    tally.sent(LeafRange(first: 1, count: 1), of: ChunkIndex(2), key, at: at(2))
    let ending = tally.closed(key, isDone: true)
    guard case .complete(let fetch) = try #require(ending) else {
      Issue.record("\(String(describing: ending))"); return
    }
    #expect(fetch.sentByteCount == 145 && fetch.began == at(1))
    #expect(tally.running.isEmpty)
  }

  @Test mutating func `a leaf that is sent twice counts once, and a leaf that is requested again does not count`() {
    _ = tally.opened(key, layout, at: .zero)
    send(all, to: key)
    tally.sent(LeafRange(first: 1, count: 2), of: ChunkIndex(0), key, at: .zero)
    #expect(tally.running.map(\.sentByteCount) == [145])
    tally.asked(LeafRange(first: 1, count: 2), of: ChunkIndex(0), key, at: .zero)
    tally.asked(LeafRange(first: 0, count: 2), of: ChunkIndex(2), key, at: .zero)
    #expect(tally.running.map(\.sentByteCount) == [145 - 32 - 17])
    let ending = tally.closed(key, isDone: true)
    #expect(ending.map { if case .left = $0 { true } else { false } } == true)
  }

  @Test mutating func `a peer that leaves too early continues when it returns`() {
    _ = tally.opened(key, layout, at: .zero)
    send([all[0]], to: key)
    let first = tally.closed(key, isDone: true)
    #expect(first.map { if case .left = $0 { true } else { false } } == true)
    let again = tally.opened(key, layout, at: at(5))
    #expect(again?.sentByteCount == 64)
    send(Array(all.dropFirst()), to: key)
    let second = tally.closed(key, isDone: true)
    #expect(second.map { if case .complete = $0 { true } else { false } } == true)
  }

  @Test mutating func `a connection that breaks after the last leaf is not complete, as the leaf may be lost`() {
    _ = tally.opened(key, layout, at: .zero)
    send(all, to: key)
    let ending = tally.closed(key, isDone: false)
    #expect(ending.map { if case .left = $0 { true } else { false } } == true)
  }

  @Test mutating func `a peer that keeps the content open without a request for 10 s is complete once`() {
    _ = tally.opened(key, layout, at: .zero)
    send(all, to: key, at: at(1))
    #expect(tally.settle(at: at(10)).isEmpty)
    let rested = tally.settle(at: at(11))
    #expect(rested.map(\.key) == [key])
    #expect(tally.settle(at: at(30)).isEmpty)
    let ending = tally.closed(key, isDone: true)
    #expect(ending == nil)
    // The peer fetches the content again.
    #expect(tally.opened(key, layout, at: at(40))?.sentByteCount == 0)
  }

  @Test mutating func `an empty content is complete when it was opened and closed`() {
    _ = tally.opened(key, ChunkLayout(fileLength: 0)!, at: .zero)
    let ending = tally.closed(key, isDone: true)
    #expect(ending.map { if case .complete = $0 { true } else { false } } == true)
  }

  @Test mutating func `two connections of a peer are one fetch`() {
    let first = tally.opened(key, layout, at: .zero)
    let second = tally.opened(key, layout, at: .zero)
    #expect(first != nil && second == nil)
    send(all, to: key)
    let broken = tally.closed(key, isDone: false)
    #expect(broken == nil)
    let done = tally.closed(key, isDone: true)
    #expect(done.map { if case .complete = $0 { true } else { false } } == true)
  }

  @Test mutating func `with many peers the tally forgets the oldest ones and never a connected one`() {
    _ = tally.opened(key, layout, at: .zero)
    for i in 0..<(2 * FetchTally.fetchesMax) {
      let other = FetchTally.Key(
        peer: FetchTallyTests.peer(UInt8(i % 256)), content: FetchTallyTests.content(UInt8(2 + i / 256)))
      _ = tally.opened(other, layout, at: .zero)
      _ = tally.closed(other, isDone: false)
    }
    #expect(tally.running.map(\.key) == [key])
    send(all, to: key)
    #expect(tally.running.map(\.isAllSent) == [true])
  }

  @Test mutating func `a peer that requests one leaf of every chunk takes little memory and never completes by that`() {
    let long = ChunkLayout(fileLength: 64 * 4_096, chunkSize: 64, leafSize: 16)!
    _ = tally.opened(key, long, at: .zero)
    for chunk in 0..<4_096 as Range<UInt32> {
      tally.sent(LeafRange(first: 0, count: 1), of: ChunkIndex(chunk), key, at: .zero)
    }
    #expect(tally.running.map(\.sentByteCount) == [UInt64(16 * FetchTally.partsMax)])
  }
}
