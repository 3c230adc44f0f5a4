// Each chunk is in one state, the rarest is chosen, and a choice is cheap in a file of any size.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct ChunkTableTests {
  func table(chunks: Int) -> ChunkTable {
    var table = ChunkTable(layout: ChunkLayout(fileLength: UInt64(chunks) << 20)!)
    for chunk in 0..<chunks { table.list(ChunkIndex(UInt32(chunk))) }
    return table
  }

  func asker(_ connection: UInt64, _ leaves: LeafRange = LeafRange(first: 0, count: 64)) -> Asker {
    Asker(connection: ConnectionID(connection), request: RequestID(1), leaves: leaves)
  }

  func complete(_ table: ChunkTable) -> RemoteAvailability {
    RemoteAvailability(isComplete: true, layout: table.layout)
  }

  @Test func `a chunk goes from missing to had through each state`() {
    var table = table(chunks: 2)
    let chunk = ChunkIndex(0)
    #expect(table.state(of: chunk) == .missing)
    table.ask(chunk, asker(1))
    #expect(table.state(of: chunk) == .inFlight(verified: 0, askers: [asker(1)]))
    #expect(table.choose(for: complete(table), below: 2) == ChunkIndex(1))
    _ = table.verify(mask: LeafRange(first: 0, count: 4).mask, of: chunk)
    table.drop(ConnectionID(1), RequestID(1), of: chunk)
    #expect(table.state(of: chunk) == .partial(verified: 0b1111))
    table.rest(chunk)
    #expect(table.state(of: chunk) == .resting(verified: 0b1111))
    #expect(table.choosableCount == 1)
    table.wake(chunk)
    #expect(table.choosableCount == 2)
    #expect(table.missingSpan(of: chunk) == LeafRange(first: 4, count: 60))
    #expect(table.verify(mask: LeafRange(first: 4, count: 60).mask, of: chunk).isNowHad)
    #expect(table.state(of: chunk) == .have && table.haveCount == 1 && table.choosableCount == 1)
    #expect(table.verify(mask: LeafRange(first: 0, count: 64).mask, of: chunk).new == 0)
  }

  @Test func `the rarest chunk of a peer is chosen, and the first of equally rare ones`() {
    var table = table(chunks: 6)
    for chunk: UInt32 in [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5] { table.addCopy(of: ChunkIndex(chunk)) }
    var order: [UInt32] = []
    while let chunk = table.choose(for: complete(table), below: 6) {
      order.append(chunk.rawValue)
      table.ask(chunk, asker(1))
    }
    #expect(order == [3, 4, 1, 2, 5, 0])
  }

  @Test func `an unlisted chunk is never chosen`() {
    var table = ChunkTable(layout: ChunkLayout(fileLength: 4 << 20)!)
    #expect(table.choose(for: complete(table), below: 4) == nil)
    table.list(ChunkIndex(2))
    #expect(table.choose(for: complete(table), below: 4) == ChunkIndex(2))
  }

  @Test func `choosing in a file of a million chunks reads few words, for complete and partial peers`() {
    var table = ChunkTable(layout: ChunkLayout(fileLength: 1 << 40)!)
    var half = RemoteAvailability(isComplete: false, layout: table.layout)
    var generator = SeededGenerator(seed: 5)
    for chunk in stride(from: 0, to: UInt32(1 << 20), by: 16) {
      table.list(ChunkIndex(chunk))
      // Use several buckets: from no copies to more copies than there are buckets.
      for _ in 0..<Int.random(in: 0...3, using: &generator) * 23 where chunk % 256 == 0 {
        table.addCopy(of: ChunkIndex(chunk))
      }
      if chunk % 32 == 0 {
        _ = half.add(
          LeafRun(chunk: ChunkIndex(chunk), leaves: LeafRange(first: 0, count: 64)), layout: table.layout)
      }
    }
    let holdings = complete(table)
    let before = table.wordsRead
    for round in 0..<2000 {
      let chunk = table.choose(for: round % 2 == 0 ? holdings : half, below: 1 << 20)!
      table.ask(chunk, asker(1))
    }
    #expect((table.wordsRead - before) / 2000 <= 32)
  }

  @Test func `a peer without a chunk to give is not searched again until something changes`() {
    var table = table(chunks: 100)
    let generation = table.generation
    #expect(table.choose(for: RemoteAvailability(isComplete: false, layout: table.layout), below: 100) == nil)
    #expect(table.generation == generation)
    table.ask(ChunkIndex(3), asker(1))
    #expect(table.generation == generation)
    table.drop(ConnectionID(1), RequestID(1), of: ChunkIndex(3))
    #expect(table.generation > generation)
  }
}
