// The token that names a connection within a node.
import Testing

@testable import Transfer

@Suite struct ConnectionTokenTests {
  @Test(arguments: [0, 1, 7, 65_535])
  func `a token names its loop, whatever its number`(loop: Int) {
    for number in [0, 2, 1 << 47, 1 << 48 - 1] as [UInt64] {
      #expect(ConnectionToken(loop: loop, number: number).loop == loop)
    }
  }

  @Test func `tokens of different loops or numbers differ, and so do their raw values`() {
    let tokens = [0, 1, 2].flatMap { loop in [2, 3, 4].map { ConnectionToken(loop: loop, number: $0) } }
    #expect(Set(tokens).count == 9 && Set(tokens.map(\.rawValue)).count == 9)
    for token in tokens { #expect(ConnectionToken(rawValue: token.rawValue) == token) }
  }

  @Test func `tokens of one loop are ordered by their numbers`() {
    let numbers: [UInt64] = [300, 2, 1 << 40, 255, 3]
    let tokens = numbers.map { ConnectionToken(loop: 5, number: $0) }
    #expect(tokens.sorted() == numbers.sorted().map { ConnectionToken(loop: 5, number: $0) })
  }
}
