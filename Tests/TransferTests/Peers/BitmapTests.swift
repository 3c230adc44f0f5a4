// BITMAPs are applied in words of 64 chunks, each word once, with the same result as chunk by chunk.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct BitmapTests {
  private func bitmap(first: Int, _ members: [Bool]) -> Bitmap {
    var bits: [UInt8] = Array(repeating: 0, count: (members.count + 7) / 8)
    for (i, isMember) in members.enumerated() where isMember { bits[i / 8] |= 0x80 >> UInt8(i % 8) }
    return Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(UInt32(first)), count: members.count, bits: bits)
  }

  private func layout(_ chunks: Int) -> ChunkLayout { ChunkLayout(fileLength: UInt64(chunks) << 20)! }

  @Test func `words of a bitmap hold its bits, wherever it begins and ends`() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<200 {
      let first = Int.random(in: 0..<300, using: &generator)
      let members = (0..<Int.random(in: 1...200, using: &generator)).map { _ in Bool.random(using: &generator) }
      let bitmap = bitmap(first: first, members)
      for word in 0..<10 {
        let mask = (0..<64).reduce(UInt64(0)) { mask, bit in
          let place = 64 * word + bit - first
          return members.indices.contains(place) && bitmap[place] ? mask | 1 << UInt64(bit) : mask
        }
        #expect(bitmap.mask(ofWord: word) == mask)
      }
    }
    let last = Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(1_048_575), count: 1, bits: [0x80])
    #expect(last.mask(ofWord: 16_383) == 1 << 63 && last.mask(ofWord: 0) == 0)
  }

  @Test func `a bitmap that repeats known chunks changes nothing`() {
    let chunks = 262_144
    var availability = RemoteAvailability(isComplete: false, layout: layout(chunks))
    _ = availability.add(LeafRun(chunk: ChunkIndex(70), leaves: LeafRange(first: 0, count: 2)), layout: layout(chunks))
    let everySecond = bitmap(first: 0, (0..<chunks).map { $0 % 2 == 0 })
    let gains = availability.add(everySecond)
    #expect(gains.count == chunks / 64 && availability.chunks.count == chunks / 2 && availability.partial.isEmpty)
    #expect(gains[1].whole.nonzeroBitCount == 32 && gains[1].first == gains[1].whole & ~(1 << 6))
    #expect(availability.add(everySecond).isEmpty)
    // If a BITMAP is repeated, only words that differ count.
    #expect(availability.add(bitmap(first: 1000, [true, true, true, true])).map(\.word) == [15])
    let beyond = availability.add(bitmap(first: chunks - 1, [true, true, true]))
    #expect(beyond.map(\.whole) == [1 << 63])
    let outside = availability.add(bitmap(first: chunks, [true]))
    #expect(outside.isEmpty)
  }

  @Test(arguments: [false, true]) func `copies counted by word equal copies counted by chunk`(isInOrder: Bool) {
    var generator = SeededGenerator(seed: 4)
    var byWord = ChunkTable(layout: layout(150), isInOrder: isInOrder)
    var byChunk = byWord
    for chunk in 0..<150 where chunk % 7 != 0 {
      byWord.list(ChunkIndex(UInt32(chunk)))
      byChunk.list(ChunkIndex(UInt32(chunk)))
    }
    var told: [(word: Int, members: UInt64)] = []
    for _ in 0..<400 {
      let word = Int.random(in: 0..<3, using: &generator)
      var members = generator.next() | generator.next()
      if word == 2 { members &= (1 << 22) - 1 }
      byWord.addCopies(of: members, inWord: word)
      for bit in 0..<64 where members & (1 << UInt64(bit)) != 0 {
        byChunk.addCopy(of: ChunkIndex(UInt32(64 * word + bit)))
      }
      told.append((word, members))
    }
    expectAlike(byWord, byChunk)
    // Most peers leave again. The copies of the first few remain.
    for (word, members) in told[10...] { byWord.removeCopies(of: members, inWord: word) }
    byChunk = ChunkTable(layout: layout(150), isInOrder: isInOrder)
    for chunk in 0..<150 where chunk % 7 != 0 { byChunk.list(ChunkIndex(UInt32(chunk))) }
    for (word, members) in told[..<10] { byChunk.addCopies(of: members, inWord: word) }
    expectAlike(byWord, byChunk)
  }

  private func expectAlike(_ a: ChunkTable, _ b: ChunkTable, at location: SourceLocation = #_sourceLocation) {
    var (a, b) = (a, b)
    let everything = RemoteAvailability(isComplete: true, layout: a.layout)
    let chunks = (0..<UInt32(a.layout.chunkCount)).map { ChunkIndex($0) }
    #expect(chunks.map(a.copies) == chunks.map(b.copies), sourceLocation: location)
    #expect(a.choosableCount == b.choosableCount, sourceLocation: location)
    while let chunk = b.choose(for: everything, below: chunks.count) {
      #expect(a.choose(for: everything, below: chunks.count) == chunk, sourceLocation: location)
      for table in [0, 1] {
        let asker = Asker(
          connection: ConnectionID(1), request: RequestID(1), leaves: LeafRange(first: 0, count: 64))
        if table == 0 { a.ask(chunk, asker) } else { b.ask(chunk, asker) }
      }
    }
    #expect(a.choose(for: everything, below: chunks.count) == nil, sourceLocation: location)
  }
}
