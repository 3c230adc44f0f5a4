// Virtual time: everything that happens in a simulation happens here, in one order that the seed alone decides.
import Transfer

/// A clock, the things that are to come, and the source of all chance. Confined to the thread that runs it.
final class World {
  /// Plain bits, so that to move it counts no references.
  private struct Entry {
    let at: Instant
    let order: UInt64
    /// Of what is to happen, in `happenings`.
    let place: Int

    func precedes(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
  }

  private(set) var time = Instant.zero
  var generator: SeededGenerator
  /// What happened, a line each; nil where nobody wants to know.
  private(set) var trace: [String]?
  /// The first rule that was broken.
  private(set) var violation: String?
  private(set) var eventCount = 0
  /// Of all that was mixed in, with its time.
  private(set) var fingerprint: UInt64 = 0
  private var heap: [Entry] = []
  private var happenings: [(() -> Void)?] = []
  private var freePlaces: [Int] = []
  private var nextOrder: UInt64 = 0

  init(seed: UInt64, isTraced: Bool) {
    generator = SeededGenerator(seed: seed)
    trace = isTraced ? [] : nil
  }

  func at(_ instant: Instant, _ happen: @escaping () -> Void) {
    let place = freePlaces.popLast() ?? happenings.count
    if place == happenings.count { happenings.append(happen) } else { happenings[place] = happen }
    heap.append(Entry(at: max(instant, time), order: nextOrder, place: place))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  func after(_ delay: Duration, _ happen: @escaping () -> Void) { at(time + delay, happen) }

  /// Lets things happen until `isOver`, a rule is broken, or nothing is left. False: it went on for too long.
  func run(until limit: Instant, eventsMax: Int, isOver: () -> Bool) -> Bool {
    while violation == nil, !isOver(), let first = heap.first {
      guard first.at <= limit, eventCount < eventsMax else { return false }
      eventCount += 1
      removeFirst()
      time = first.at
      let happen = happenings[first.place].take()
      freePlaces.append(first.place)
      happen?()
    }
    return violation != nil || isOver()
  }

  /// Breaks the circles of those who wait for one another.
  func forgetAll() { (heap, happenings, freePlaces) = ([], [], []) }

  func violate(_ rule: String) {
    if violation == nil { violation = "at \(time.inSeconds) s: \(rule)" }
    note("VIOLATION \(rule)")
  }

  func note(_ what: @autoclosure () -> String) {
    if trace != nil { trace!.append("\(time.nanoseconds) \(what())") }
  }

  /// Lets what happens now count for the fingerprint.
  func mix(_ value: UInt64) {
    fingerprint = (fingerprint ^ value ^ UInt64(bitPattern: time.nanoseconds) << 20) &* 0x9e37_79b9_7f4a_7c15
    fingerprint ^= fingerprint >> 29
  }

  private func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}

extension SeededGenerator {
  mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
  mutating func milliseconds(_ range: ClosedRange<Int64>) -> Duration {
    .milliseconds(Int64.random(in: range, using: &self))
  }
  mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &self)] }
}

extension Instant {
  /// Seconds since the world began.
  var inSeconds: Double { (self - .zero).inSeconds }
}
