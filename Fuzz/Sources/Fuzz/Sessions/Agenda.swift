// Scheduled things on a virtual clock.
import Transfer

/// A queue of things in the order of their times. Things with equal times stay in the order in which they were added.
struct Agenda<Thing> {
  private var entries: [(at: Instant, order: Int, thing: Thing)] = []
  private var nextOrder = 0

  var next: Instant? { entries.first?.at }

  mutating func add(_ thing: Thing, at time: Instant) {
    entries.append((time, nextOrder, thing))
    nextOrder += 1
    var child = entries.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func take() -> (at: Instant, thing: Thing)? {
    guard let first = entries.first else { return nil }
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var parent = 0
    while true {
      let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < entries.count }
      guard let least = children.min(by: isBefore), isBefore(least, parent) else { break }
      entries.swapAt(least, parent)
      parent = least
    }
    return (first.at, first.thing)
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (entries[a].at, entries[a].order) < (entries[b].at, entries[b].order)
  }
}
