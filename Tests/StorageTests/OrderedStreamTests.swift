// A stream: pieces arrive in any order, and bytes go out in the order of the file.
import Content
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `An ordered stream` {
  static let leafSize = 1024
  let temporary = TemporaryFolder()
  let bytes = pattern(20 * leafSize + 77)
  private let layout = ChunkLayout(fileLength: UInt64(20 * leafSize + 77), chunkSize: 4 * leafSize, leafSize: leafSize)!

  private func make() throws -> OrderedStream {
    OrderedStream(
      .file(OpenFile(try File(temporary("out"), [.readWrite, .createExclusive]))), layout)
  }

  private func put(_ leaves: Range<Int>, into stream: OrderedStream) throws {
    let start = leaves.lowerBound * `An ordered stream`.leafSize
    let end = min(leaves.upperBound * `An ordered stream`.leafSize, bytes.count)
    try stream.put(Array(bytes[start..<end]).span.bytes, at: UInt64(start))
  }

  /// Writes everything that was put. Returns the reported offsets.
  private func writeAll(_ stream: OrderedStream, step: UInt64 = 4_096) throws -> [UInt64] {
    stream.close(discarding: false)
    var told: [UInt64] = []
    try stream.writeAll(step: step) { told.append($0) }
    return told
  }

  @Test func `pieces leave in the file's order, whatever order they arrive in`() throws {
    let stream = try make()
    for leaves in [4..<8, 12..<21, 0..<4, 8..<12] { try put(leaves, into: stream) }
    #expect(try writeAll(stream) == [4_096, 8_192, 12_288, 16_384, 20_480])
    try stream.finish(length: UInt64(bytes.count))
    #expect(temporary.read("out") == bytes)
  }

  @Test func `a piece is not written before the pieces in front of it`() throws {
    let stream = try make()
    for leaves in [0..<4, 5..<9] { try put(leaves, into: stream) }
    #expect(try writeAll(stream) == [4_096])
    #expect(temporary.read("out") == Array(bytes[..<4_096]))
  }

  @Test func `leaves that arrive twice, in pieces of other sizes, leave once`() throws {
    let stream = try make()
    for leaves in [0..<3, 3..<5, 3..<7, 9..<13, 7..<11, 0..<4, 13..<21] { try put(leaves, into: stream) }
    _ = try writeAll(stream)
    try stream.finish(length: UInt64(bytes.count))
    #expect(temporary.read("out") == bytes)
  }

  @Test func `only wanted leaves leave, and progress includes the unwanted bytes after each`() throws {
    var wanted = WantedLeaves.none
    for (chunk, mask) in [(1, 0b1111), (3, 0b0010), (5, 0b1)] as [(UInt32, UInt64)] {
      wanted.insert(mask, of: ChunkIndex(chunk))
    }
    let stream = OrderedStream(
      .file(OpenFile(try File(temporary("out"), [.readWrite, .createExclusive]))), layout,
      wanted: wanted)
    for leaves in [20..<21, 13..<14, 4..<6, 5..<8] { try put(leaves, into: stream) }
    // Each leaf is reported together with the unwanted bytes after it.
    let leaf = UInt64(`An ordered stream`.leafSize)
    #expect(try writeAll(stream, step: leaf) == [5 * leaf, 6 * leaf, 7 * leaf, 13 * leaf, 20 * leaf])
    try stream.finish(length: UInt64(bytes.count))
    #expect(temporary.read("out") == Array(bytes[4_096..<8_192] + bytes[13_312..<14_336] + bytes[20_480...]))
  }

  @Test func `a failure is reported by the writer, by a later put and at the end`() throws {
    let stream = OrderedStream(
      .file(OpenFile(try File(temporary("in"), [.createExclusive]))), layout)  // open for reading only
    try put(0..<1, into: stream)
    #expect(throws: PartFileError.self) { try writeAll(stream) }
    #expect(throws: PartFileError.self) { try put(5..<6, into: stream) }
    #expect(throws: PartFileError.self) { try stream.finish(length: 1) }
  }
}
