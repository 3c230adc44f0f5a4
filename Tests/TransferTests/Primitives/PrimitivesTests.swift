// The small containers that the state machines share.
import Testing

@testable import Transfer

@Suite struct PrimitivesTests {
  @Test func `a heap returns the earliest element first, and equal ones in the order of adding`() {
    var heap = TimeHeap<Int>()
    for value in 0..<200 { heap.insert(value, at: Instant(nanoseconds: Int64(value * 37 % 10))) }
    heap.filter { $0.value % 4 != 0 }
    var taken: [Int] = []
    while let first = heap.first {
      taken.append(first.value)
      heap.removeFirst()
    }
    let kept = (0..<200).filter { $0 % 4 != 0 }
    #expect(taken == kept.sorted { ($0 * 37 % 10, $0) < ($1 * 37 % 10, $1) })
  }

  @Test func `actions are taken in the order of adding, even if more are added meanwhile`() {
    var queue = ActionQueue<Int>()
    queue.append(1)
    queue += [2, 3]
    #expect(queue.takeFirst() == 1)
    queue.append(4)
    #expect([queue.takeFirst(), queue.takeFirst(), queue.takeFirst(), queue.takeFirst()] == [2, 3, 4, nil])
    queue += [5, 6]
    #expect(queue.takeFirst() == 5)
    queue.removeAll()
    #expect(queue.takeFirst() == nil)
    queue.append(7)
    #expect(queue.takeFirst() == 7)
  }

  @Test func `a table keeps the order of adding when values change and keys are removed`() {
    var table = OrderedTable<String, Int>()
    for (value, key) in ["d", "b", "a", "c"].enumerated() { table[key] = value }
    table["b"] = 10
    table[existing: "d"] += 20
    table["a"] = nil
    #expect(table.remove("x") == nil && table.remove("d") == 20)
    table["d"] = 30
    #expect(table.map(\.key) == ["b", "c", "d"] && table.map(\.value) == [10, 3, 30])
    #expect(table.count == 3 && table["a"] == nil)
  }
}
