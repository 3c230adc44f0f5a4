// Virtual time. Everything that happens in a simulation happens here, in an order that depends only on the seed.
import Transfer

/// A clock, the scheduled happenings, and the only source of random numbers. Confined to the thread that runs it.
final class World {
  private(set) var time = Instant.zero
  var generator: SeededGenerator
  /// What happened, one line each. Nil if no trace was requested.
  private(set) var trace: [String]?
  /// The first rule that was broken.
  private(set) var violation: String?
  private(set) var eventCount = 0
  /// A hash of all mixed-in values with their times.
  private(set) var fingerprint: UInt64 = 0
  /// The places in `happenings`. They are plain bits, so a move in the heap counts no references.
  private var heap = TimeHeap<Int>()
  private var happenings: [(() -> Void)?] = []
  private var freePlaces: [Int] = []

  init(seed: UInt64, isTraced: Bool) {
    generator = SeededGenerator(seed: seed)
    trace = isTraced ? [] : nil
  }

  func at(_ instant: Instant, _ happen: @escaping () -> Void) {
    let place = freePlaces.popLast() ?? happenings.count
    if place == happenings.count { happenings.append(happen) } else { happenings[place] = happen }
    heap.insert(place, at: max(instant, time))
  }

  func after(_ delay: Duration, _ happen: @escaping () -> Void) { at(time + delay, happen) }

  /// Runs until `isOver`, until a rule is broken, or until nothing is left. Returns false if it went on for too long.
  func run(until limit: Instant, eventsMax: Int, isOver: () -> Bool) -> Bool {
    while violation == nil, !isOver(), let first = heap.first {
      guard first.at <= limit, eventCount < eventsMax else { return false }
      eventCount += 1
      heap.removeFirst()
      time = first.at
      let happen = happenings[first.value].take()
      freePlaces.append(first.value)
      happen?()
    }
    return violation != nil || isOver()
  }

  /// Breaks the reference cycles of happenings that wait for each other.
  func forgetAll() { (heap, happenings, freePlaces) = (TimeHeap(), [], []) }

  func violate(_ rule: String) {
    if violation == nil { violation = "at \(time.inSeconds) s: \(rule)" }
    note("VIOLATION \(rule)")
  }

  func note(_ what: @autoclosure () -> String) {
    if trace != nil { trace!.append("\(time.nanoseconds) \(what())") }
  }

  /// Mixes a value, with the time, into the fingerprint.
  func mix(_ value: UInt64) {
    fingerprint = (fingerprint ^ value ^ UInt64(bitPattern: time.nanoseconds) << 20) &* 0x9e37_79b9_7f4a_7c15
    fingerprint ^= fingerprint >> 29
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
