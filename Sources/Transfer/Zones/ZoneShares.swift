// Which node of a zone fetches a chunk from outside the zone, so that each chunk comes into the zone once.
import Wire

/// The chunks that this node fetches from outside its zone. The nodes of a zone need no message to agree: for each
/// chunk, every node ranks all nodes by a hash of PeerID and chunk, and the first in rank fetches the chunk (rendezvous
/// hashing). If a node comes or goes, only that node's chunks change hands. Nodes that do not know one another may
/// fetch the same chunk.
struct ZoneShares: Hashable, Sendable {
  /// Chunks whose numbers leave the same remainder are fetched by the same node. So the table stays small for a file of
  /// any length, and different nodes fetch neighbouring chunks.
  static let slotCount = 1_024

  /// One bit a slot: whether this node fetches the slot's chunks. Bit i of word w stands for slot 64 × w + i.
  private var words: [UInt64]

  /// The shares of a node that fetches every chunk itself.
  static let all = ZoneShares(every: .max)
  /// The shares of a node that serves no other node: it leaves every chunk to the other nodes of its zone.
  static let none = ZoneShares(every: 0)

  private init(every word: UInt64) { words = Array(repeating: word, count: ZoneShares.slotCount / 64) }

  /// Calculates the share of node `own`.
  /// - `partners`: the other nodes of the zone.
  init(of own: PeerID, beside partners: [PeerID]) {
    self = .none
    let ownMark = own.digest.mark
    let marks = partners.map(\.digest.mark)
    for slot in 0..<UInt64(ZoneShares.slotCount) {
      let salt = ZoneShares.mixed(slot)
      let weight = ZoneShares.mixed(ownMark ^ salt)
      if marks.allSatisfy({ ZoneShares.mixed($0 ^ salt) < weight }) {
        words[Int(slot / 64)] |= 1 << (slot % 64)
      }
    }
  }

  /// Returns which of the 64 chunks from 64 × `index` on this node fetches, bit 0 the first.
  func word(_ index: Int) -> UInt64 { words[index % words.count] }

  /// Returns one step of SplitMix64. It spreads a number over all bits, and different numbers give different results.
  private static func mixed(_ number: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: number)
    return generator.next()
  }
}

/// Selects the chunks that a download requests from peers outside its zone.
struct ZoneFilter: Sendable {
  /// The chunks that this node fetches for the zone.
  let shares: ZoneShares
  /// The chunks that the partners have. They are not requested from outside the zone.
  let partners: [RemoteAvailability]

  /// Returns which of the 64 chunks from 64 × `index` on may be requested, bit 0 the first.
  func word(_ index: Int) -> UInt64 {
    var word = shares.word(index)
    for partner in partners where word != 0 {
      word &= partner.isComplete ? 0 : ~partner.chunks.word(index)
    }
    return word
  }

  func allows(_ chunk: Int) -> Bool { word(chunk >> 6) & 1 << UInt64(chunk & 63) != 0 }
}
