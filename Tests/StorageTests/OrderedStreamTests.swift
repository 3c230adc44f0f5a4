// A stream: pieces in any order, bytes in the file's.
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `An ordered stream` {
  static let leafSize = 1024
  let temporary = TemporaryFolder()
  let bytes = pattern(20 * leafSize + 77)

  private func make() throws -> OrderedStream {
    OrderedStream(
      try File(temporary("out"), [.readWrite, .createExclusive]), leafSize: `An ordered stream`.leafSize)
  }

  private func write(_ leaves: Range<Int>, to stream: OrderedStream) throws -> UInt64 {
    let start = leaves.lowerBound * `An ordered stream`.leafSize
    let end = min(leaves.upperBound * `An ordered stream`.leafSize, bytes.count)
    return try stream.write(Array(bytes[start..<end]).span.bytes, at: UInt64(start))
  }

  @Test func `pieces leave in the file's order whatever order they come in`() throws {
    let stream = try make()
    #expect(try write(4..<8, to: stream) == 0)
    #expect(try write(12..<21, to: stream) == 0)
    #expect(try write(0..<4, to: stream) == UInt64(8 * `An ordered stream`.leafSize))
    #expect(temporary.read("out") == Array(bytes[..<(8 * `An ordered stream`.leafSize)]))
    #expect(try write(8..<12, to: stream) == UInt64(bytes.count))
    try stream.finish(length: UInt64(bytes.count))
    #expect(temporary.read("out") == bytes)
  }

  @Test func `leaves that come twice in pieces of other sizes leave once`() throws {
    let stream = try make()
    _ = try write(0..<3, to: stream)
    _ = try write(3..<5, to: stream)
    _ = try write(3..<7, to: stream)
    _ = try write(9..<13, to: stream)
    _ = try write(7..<11, to: stream)
    _ = try write(0..<4, to: stream)
    _ = try write(13..<21, to: stream)
    try stream.finish(length: UInt64(bytes.count))
    #expect(temporary.read("out") == bytes)
  }

  @Test func `a failure is told to every later writer and at the end`() throws {
    let stream = OrderedStream(try File(temporary("in"), [.createExclusive]), leafSize: 1024)  // for reading alone
    #expect(throws: PartFileError.self) { try write(0..<1, to: stream) }
    #expect(throws: PartFileError.self) { try write(5..<6, to: stream) }
    #expect(throws: PartFileError.self) { try stream.finish(length: 1) }
  }
}
