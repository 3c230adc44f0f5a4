// The peers that a download remembers. Any number of strangers may come, so the memory for them is bounded.
import Content
import Wire

/// The peers by their numbers. A peer keeps its number until it is forgotten; then another peer may get the number.
struct PeerTable: Sendable {
  /// At most this many peers that left without delivering anything are remembered one by one.
  static let idlePastMax = 32
  /// How many other peers that left are remembered one by one.
  static let pastMax = 1_024

  private var peers: [Peer] = []
  private var numbers: [PeerID: Int] = [:]
  /// Numbers of peers that are forgotten.
  private var freeNumbers: [Int] = []
  /// How many peers joined so far.
  private(set) var joinCount = 0
  /// Numbers of peers that left and delivered nothing, in the order of leaving; `past` holds the others.
  private var idlePast: [Int] = []
  private var past: [Int] = []
  /// How many peers have score 0.
  private(set) var atZeroCount = 0

  subscript(number: Int) -> Peer {
    _read { yield peers[number] }
    _modify { yield &peers[number] }
  }

  /// All numbers, also those of forgotten peers.
  var indices: Range<Int> { peers.indices }

  /// Returns whether any peer matches. It also tests forgotten peers whose numbers are free.
  func contains(where matches: (Peer) -> Bool) -> Bool { peers.contains(where: matches) }

  /// Returns the number of a peer; nil if it is not remembered.
  func number(of id: PeerID) -> Int? { numbers[id] }

  /// Enters a peer that has the file. Returns its number: a new one if the peer is not remembered.
  mutating func join(_ id: PeerID) -> Int {
    let number = numbers[id] ?? enroll(id)
    dropFromPast(number)
    return number
  }

  private mutating func enroll(_ id: PeerID) -> Int {
    let peer = Peer(id: id, place: joinCount)
    joinCount += 1
    let number = freeNumbers.popLast() ?? peers.count
    if number == peers.count { peers.append(peer) } else { peers[number] = peer }
    numbers[id] = number
    return number
  }

  private mutating func dropFromPast(_ number: Int) {
    idlePast.removeAll { $0 == number }
    past.removeAll { $0 == number }
  }

  /// Notes that a peer has left. If too many have left, returns the number of one of them, which the caller forgets
  /// now.
  mutating func left(_ number: Int) -> Int? {
    dropFromPast(number)
    if peers[number].tally.bytes == 0 { idlePast.append(number) } else { past.append(number) }
    if idlePast.count > PeerTable.idlePastMax { return idlePast.removeFirst() }
    return past.count > PeerTable.pastMax ? past.removeFirst() : nil
  }

  /// Frees the number of a peer that has left.
  mutating func forget(_ number: Int) {
    if peers[number].score.value == 0 { atZeroCount -= 1 }
    numbers[peers[number].id] = nil
    peers[number].leftAt = nil
    freeNumbers.append(number)
  }

  mutating func changeScore(of number: Int, _ change: (inout PeerScore) -> Void) {
    let wasZero = peers[number].score.value == 0
    change(&peers[number].score)
    let isZero = peers[number].score.value == 0
    atZeroCount += (isZero ? 1 : 0) - (wasZero ? 1 : 0)
  }

  /// The peers that are remembered one by one, in the order of joining.
  var remembered: [Peer] {
    let free = Set(freeNumbers)
    return peers.indices.filter { !free.contains($0) }.map { peers[$0] }.sorted { $0.place < $1.place }
  }
}
