// The inbound side of a connection by itself: records that arrive in pieces, and the items in them.
import Content
import Posix
import Testing
import TestSupport
import Wire

@testable import PeerNode

/// An inbound side, and the sealer of the other end.
private struct Incoming: ~Copyable {
  var inbound = Inbound()
  private var opener = RecordOpener.unencrypted()
  private var sealer = RecordSealer.unencrypted()

  /// Seals a whole record.
  mutating func record(_ plaintext: [UInt8]) -> [UInt8] {
    var outbound = Outbound()
    outbound.seal(plaintext.span.bytes, with: &sealer)
    return outbound.bytes.read(at: 0, count: outbound.bytes.count) { $0.copied }
  }

  /// Whether nothing is left, not even the start of a frame.
  var isDone: Bool { inbound.bytes.isEmpty && !inbound.hasPlaintext && !inbound.isMidFrame }

  /// Opens the next record. Returns false if it is incomplete.
  mutating func open() throws -> Bool {
    guard case .complete(let length) = inbound.head() else { return false }
    try inbound.open(length, with: &opener)
    return true
  }

  /// Takes items until the plaintext is empty. Returns them as text.
  mutating func items(framesMax: Int = .max) throws -> [String] {
    var items: [String] = []
    while inbound.hasPlaintext {
      let (item, frameCount) = try inbound.decode(framesMax: framesMax)
      switch item {
      case .message(.data(let header)): items.append("data of \(header.byteCount)")
      case .message(.ping(let number)): items.append("ping \(number)")
      case .message(let message): items.append("\(message)")
      case .payloadEnded: items.append("payload ended")
      case .nothing: items.append("nothing, \(frameCount) frames")
      }
    }
    return items
  }
}

@Suite struct InboundBytesTests {
  private static let leafBytes = 20_000

  /// The start of a DATA frame, without the bytes of its leaves.
  private var data: [UInt8] {
    Message.data(
      DataHeader(
        id: RequestID(1), leaves: LeafRange(first: 0, count: 2), isLast: true, byteCount: InboundBytesTests.leafBytes)
    ).frame
  }

  @Test func `a record is opened when its last byte has arrived`() throws {
    var incoming = Incoming()
    let record = incoming.record(Message.ping(7).frame)
    for byte in record {
      let opened = try incoming.open()
      #expect(!opened)
      incoming.inbound.bytes.append([byte])
    }
    let isMidFrame = incoming.inbound.isMidFrame
    let opened = try incoming.open()
    let items = try incoming.items()
    let isDone = incoming.isDone
    #expect(isMidFrame && opened && items == ["ping 7"] && isDone)
  }

  @Test func `a record header too short for a tag is malformed`() {
    var incoming = Incoming()
    incoming.inbound.bytes.append([0, 3])
    guard case .malformed(header: 3) = incoming.inbound.head() else {
      Issue.record("not malformed")
      return
    }
  }

  @Test func `a record with only leaf bytes is decrypted into the block`() throws {
    var incoming = Incoming()
    let leaves = (0..<InboundBytesTests.leafBytes).map { UInt8(truncatingIfNeeded: $0) }
    incoming.inbound.bytes.append(incoming.record(data) + incoming.record(Array(leaves.prefix(8_000))))
    incoming.inbound.bytes.append(incoming.record(Array(leaves.dropFirst(8_000))))
    _ = try incoming.open()
    let items = try incoming.items()
    #expect(items == ["data of 20000"])
    let block = Block()
    incoming.inbound.arriving = block
    _ = try incoming.open()
    let part = try incoming.items()
    _ = try incoming.open()
    let end = try incoming.items()
    let isDone = incoming.isDone
    #expect(part == ["nothing, 0 frames"] && end == ["payload ended"] && isDone)
    #expect(block.read(0..<block.count) { $0.copied } == leaves)
  }

  @Test(arguments: [false, true])
  func `leaves between other frames of a record are separated, with a block and without`(hasBlock: Bool) throws {
    var incoming = Incoming()
    let leaves = [UInt8](repeating: 5, count: InboundBytesTests.leafBytes)
    let plaintext = Message.ping(1).frame + data + leaves + Message.ping(2).frame
    incoming.inbound.bytes.append(incoming.record(plaintext))
    let block = Block()
    if hasBlock { incoming.inbound.arriving = block }
    _ = try incoming.open()
    let items = try incoming.items()
    #expect(items == ["ping 1", "data of 20000", "payload ended", "ping 2"])
    #expect(block.count == (hasBlock ? InboundBytesTests.leafBytes : 0))
  }

  @Test func `skipped frames count, and only a limited number is skipped per call`() throws {
    var incoming = Incoming()
    let skipped = (0..<5).flatMap { _ in frame(type: 0x41, body: [1]) }
    incoming.inbound.bytes.append(incoming.record(skipped + Message.ping(1).frame))
    _ = try incoming.open()
    let items = try incoming.items(framesMax: 3)
    #expect(items == ["nothing, 3 frames", "ping 1"])
    let completed = incoming.inbound.decoder.completedFrames
    #expect(completed == 6)
  }

  @Test func `dropped bytes leave no plaintext behind`() throws {
    var incoming = Incoming()
    incoming.inbound.bytes.append(incoming.record(Message.ping(1).frame + [0]))
    _ = try incoming.open()
    let hadPlaintext = incoming.inbound.hasPlaintext
    incoming.inbound.dropAll()
    let isDone = incoming.isDone
    #expect(hadPlaintext && isDone)
  }
}
