// Which node of a zone fetches a chunk from outside the zone, so that each chunk comes into the zone once.
import Wire

/// The chunks that this node fetches from outside its zone. The nodes of a zone need no message to agree: each ranks all of
/// them by a hash of PeerID and chunk, and the first one fetches the chunk (rendezvous hashing). If a node comes or goes,
/// only its own chunks change hands. Nodes that do not know one another may fetch the same chunk.
struct ZoneShares: Hashable, Sendable {
  /// Chunks whose numbers have the same remainder have the same node. So the table is small however large a file is, and
  /// neighbouring chunks have different nodes.
  static let slotCount = 1_024

  /// A bit for each slot: whether its chunks are this node's. Bit i of word w stands for slot 64 × w + i.
  private var words: [UInt64]

  /// A node that fetches every chunk itself.
  static let all = ZoneShares(every: .max)
  /// A node that gives nothing to others: it leaves every chunk to the other nodes of its zone.
  static let none = ZoneShares(every: 0)

  private init(every word: UInt64) { words = Array(repeating: word, count: ZoneShares.slotCount / 64) }

  /// The part of a node beside its partners, the other nodes of the zone.
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

  /// Those of 64 neighbouring chunks that are this node's: chunks from 64 × `index` on, bit 0 the first.
  func word(_ index: Int) -> UInt64 { words[index % words.count] }

  /// One step of SplitMix64. It spreads numbers over all bits, and no two numbers give the same one.
  private static func mixed(_ number: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: number)
    return generator.next()
  }
}

/// The chunks that a download asks a peer outside its zone for.
struct ZoneFilter: Sendable {
  /// The chunks that this node fetches for the zone.
  let shares: ZoneShares
  /// What the partners have.
  let partners: [RemoteAvailability]

  /// Those of 64 neighbouring chunks that are asked for: chunks from 64 × `index` on, bit 0 the first.
  func word(_ index: Int) -> UInt64 {
    var word = shares.word(index)
    for partner in partners where word != 0 {
      word &= partner.isComplete ? 0 : ~partner.chunks.word(index)
    }
    return word
  }

  func allows(_ chunk: Int) -> Bool { word(chunk >> 6) & 1 << UInt64(chunk & 63) != 0 }
}
