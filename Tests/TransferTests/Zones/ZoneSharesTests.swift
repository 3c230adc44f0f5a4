// The nodes of a zone divide the chunks among themselves without any message.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct ZoneSharesTests {
  private func peers(_ count: Int) -> [PeerID] {
    (0..<count).map { number in
      var generator = SeededGenerator(seed: UInt64(number))
      let bytes = (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      return PeerID(digest: Digest(bytes)!)
    }
  }

  private func shares(_ peers: [PeerID]) -> [ZoneShares] {
    peers.indices.map { own in
      ZoneShares(of: peers[own], beside: peers.indices.filter { $0 != own }.map { peers[$0] })
    }
  }

  private func owners(_ chunk: Int, _ shares: [ZoneShares]) -> [Int] {
    shares.indices.filter { shares[$0].word(chunk / 64) & 1 << UInt64(chunk % 64) != 0 }
  }

  @Test(arguments: [1, 2, 3, 8, 50])
  func `each chunk has one node, and each node has about equally many chunks`(count: Int) {
    let shares = shares(peers(count))
    var sums = Array(repeating: 0, count: count)
    for chunk in 0..<5_000 {
      let owners = owners(chunk, shares)
      #expect(owners.count == 1, "chunk \(chunk)")
      for owner in owners { sums[owner] += 1 }
    }
    #expect(sums.min()! * count > 5_000 / 3 && sums.max()! * count < 3 * 5_000, "\(sums)")
  }

  @Test func `when a node leaves, only its chunks change owner`() {
    let peers = peers(9)
    let (before, after) = (shares(peers), shares(Array(peers.dropLast())))
    for chunk in 0..<ZoneShares.slotCount {
      let (old, new) = (owners(chunk, before), owners(chunk, after))
      #expect(old == new || old == [8], "chunk \(chunk)")
    }
  }

  @Test func `the filter leaves out chunks that a partner has`() {
    let layout = ChunkLayout(fileLength: 70 << 20)!
    var partner = RemoteAvailability(isComplete: false, layout: layout)
    let run = LeafRun(chunk: ChunkIndex(65), leaves: LeafRange(first: 0, count: 64))
    _ = partner.add(run, layout: layout)
    let filter = ZoneFilter(shares: .all, partners: [partner])
    #expect(filter.allows(64) && !filter.allows(65) && filter.allows(66) && filter.word(0) == .max)
    let complete = RemoteAvailability(isComplete: true, layout: layout)
    #expect(ZoneFilter(shares: .all, partners: [partner, complete]).word(0) == 0)
  }
}
