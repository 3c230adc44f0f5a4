// The output stream of a getter. Its reader must get each wanted byte once, in the order of the content, and no other.
import Content

/// A stream whose reader takes leaves as soon as they go out, except during one pause.
struct SimulatedStream {
  private var order: StreamOrder
  private var rules: StreamRules
  /// The byte of the content at which the reader stops once; nil if it never does.
  private let pausesAt: UInt64?
  /// Whether the pause is over.
  private var hasPaused = false

  /// - `pausesAt`: the byte of the content at which the reader stops once; nil if it never does.
  init(_ file: SimulatedFile, wanted: WantedLeaves, pausesAt: UInt64?) {
    let order = StreamOrder(file.layout, wanted: wanted)
    // The stream may begin with a later byte, if the first ones are not wanted.
    self.pausesAt = pausesAt.map { max($0, order.next) }
    self.order = order
    rules = StreamRules(file, wanted: wanted, next: order.next)
  }

  /// Takes verified leaves.
  mutating func put(_ bytes: [UInt8], at offset: UInt64) {
    for leaf in order.put(bytes.count, at: offset, copy: { Array(bytes[$0]) }) { rules.took(leaf) }
  }

  private var pause: UInt64 { hasPaused ? .max : pausesAt ?? .max }
  /// Whether leaves wait for a reader that has stopped.
  var isPaused: Bool { order.next > pause }

  /// Ends the reader's pause.
  mutating func resume() { hasPaused = true }

  /// The offset below which the reader has taken all wanted bytes.
  var passedOnBelow: UInt64 { min(order.next, pause) }
  /// Whether the reader has taken all wanted bytes.
  var isOver: Bool { rules.isOver }
  var broken: String? { rules.broken }
}

/// The rules of one stream. They list the place of each wanted byte, and know nothing of leaves that wait.
private struct StreamRules {
  private let content: [UInt8]
  /// The places of all wanted bytes in the content, in order.
  private let places: [Int]
  private var takenCount = 0
  private(set) var broken: String?

  /// - `next`: where the stream says that it begins.
  init(_ file: SimulatedFile, wanted: WantedLeaves, next: UInt64) {
    content = file.bytes
    let layout = file.layout
    places = (0..<UInt32(layout.chunkCount)).flatMap { number -> [Int] in
      let chunk = ChunkIndex(number)
      return (0..<layout.leafCount(of: chunk)).filter { wanted.mask(of: chunk) & 1 << UInt64($0) != 0 }.flatMap {
        leaf in
        let start = Int(layout.offset(ofLeaf: leaf, in: chunk))
        return start..<start + layout.length(of: LeafRange(first: leaf, count: 1), in: chunk)
      }
    }
    check(next)
  }

  /// The reader took a leaf.
  mutating func took(_ leaf: StreamOrder.Leaf) {
    guard broken == nil else { return }
    for (index, byte) in leaf.bytes.enumerated() {
      let place = Int(leaf.offset) + index
      guard takenCount < places.count, places[takenCount] == place else {
        return broken = "a stream passes on byte \(place), which is not wanted or not next"
      }
      guard content[place] == byte else { return broken = "a stream passes on a wrong byte at \(place)" }
      takenCount += 1
    }
    check(leaf.next)
  }

  /// Whether the reader has taken all wanted bytes.
  var isOver: Bool { takenCount == places.count }

  private mutating func check(_ next: UInt64) {
    let place = takenCount < places.count ? places[takenCount] : content.count
    if Int(next) != place { broken = "a stream says that byte \(next) is next, and not byte \(place)" }
  }
}
