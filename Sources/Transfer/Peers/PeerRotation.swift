// Which worker owns which peers: round-robin by peer number, recomputed when peers come or go.

/// With w = min(maxWorkers, live peers), worker i owns the live numbers ≡ i mod w.
struct PeerRotation: Sendable {
  let maxWorkers: Int
  /// Numbers of live peers, ascending.
  private(set) var live: [Int] = []
  /// The numbers that each worker owns, ascending.
  private(set) var sets: [[Int]] = []

  var workerCount: Int { sets.count }

  init(maxWorkers: Int) { self.maxWorkers = maxWorkers }

  func owner(of number: Int) -> Int? { isLive(number) ? number % workerCount : nil }

  func isLive(_ number: Int) -> Bool {
    let place = place(of: number)
    return place < live.count && live[place] == number
  }

  mutating func join(_ number: Int) {
    let place = place(of: number)
    guard place == live.count || live[place] != number else { return }
    live.insert(number, at: place)
    recompute()
  }

  mutating func leave(_ number: Int) {
    let place = place(of: number)
    guard place < live.count, live[place] == number else { return }
    live.remove(at: place)
    recompute()
  }

  /// Returns the numbers of a worker's set except `number`, starting with the next one after it.
  func others(of worker: Int, after number: Int) -> [Int] {
    guard worker < workerCount else { return [] }
    return sets[worker].filter { $0 > number } + sets[worker].filter { $0 < number }
  }

  private func place(of number: Int) -> Int {
    var low = 0
    var high = live.count
    while low < high {
      let middle = (low + high) / 2
      if live[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private mutating func recompute() {
    let workers = min(maxWorkers, live.count)
    sets = Array(repeating: [], count: workers)
    for number in live { sets[number % workers].append(number) }
  }
}
