// What peers tell of the chunks that they have.
import Content
import Wire

extension DownloadState {
  mutating func learn(_ id: ConnectionID, _ runs: [ChunkLeaves], at now: Instant) {
    guard let number = links[id]?.peer else { return }
    for run in runs where links[id]!.holdings!.add(run, layout: chunks.layout) { gained(run.chunk, by: number) }
    updateUsability(at: now)
  }

  /// Bits that are missing or beyond the file are not read.
  mutating func learn(_ id: ConnectionID, first: ChunkIndex, count: Int, bits: [UInt8], at now: Instant) {
    guard let number = links[id]?.peer else { return }
    for i in 0..<max(0, min(count, bits.count * 8, chunks.layout.chunkCount - Int(first.rawValue)))
    where bits[i / 8] & (0x80 >> UInt8(i % 8)) != 0 {
      let chunk = ChunkIndex(first.rawValue + UInt32(i))
      let run = ChunkLeaves(chunk: chunk, leaves: chunks.layout.leaves(of: chunk))
      if links[id]!.holdings!.add(run, layout: chunks.layout) { gained(chunk, by: number) }
    }
    updateUsability(at: now)
  }

  private mutating func gained(_ chunk: ChunkIndex, by number: Int) {
    chunks.addCopy(of: chunk)
    peers[number].exhaustedAt = 0
  }
}
