// Tests name connections by plain numbers. All of them belong to loop 0.
@testable import Transfer

extension ConnectionToken: ExpressibleByIntegerLiteral, Strideable {
  init(_ number: Int) { self.init(loop: 0, number: UInt64(number)) }
  public init(integerLiteral number: UInt64) { self.init(loop: 0, number: number) }

  public func distance(to other: ConnectionToken) -> Int { Int(other.rawValue) - Int(rawValue) }
  public func advanced(by count: Int) -> ConnectionToken { ConnectionToken(Int(rawValue) + count) }
}
