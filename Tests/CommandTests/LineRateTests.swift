// How many events of one kind get a line.
import Testing

@testable import p2pnode

struct LineRateTests {
  private var ends = LineRate.ofConnectionEnds

  @Test mutating func `60 ends of connections a minute get a line, and the next line has the number of the others`() {
    var told = 0
    for step in 0..<5_000 as Range<Int64> where ends.next(at: step * 1_000_000).isTold { told += 1 }
    #expect(told == 60)
    let late = ends.next(at: 59_999_999_999)
    #expect(!late.isTold)
    let next = ends.next(at: 60_000_000_000)
    #expect(next.isTold && next.leftOutBefore == 4_941)
    let after = ends.next(at: 60_000_000_001)
    #expect(after.isTold && after.leftOutBefore == 0)
    let rest = ends.takeLeftOut()
    #expect(rest == 0)
  }
}
