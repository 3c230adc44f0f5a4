// Frames at each truncation, split and boundary.
import Content
import Testing

@testable import Wire

@Suite struct FrameDecoderTests {
  @Test(arguments: FrameExample.small + FrameExample.largest)
  func `a message comes back as it was sent`(_ example: FrameExample) throws {
    var stream = FrameStream()
    try stream.feed(example.frame)
    #expect(stream.messages == [example.message])
    #expect(stream.payload == example.payload)
    #expect(!stream.decoder.isMidFrame)
  }

  @Test func `an error names the frame as the specification does`() {
    #expect("\(WireError.malformed(.pageGet))" == "a malformed PAGE_GET")
    #expect("\(WireError.invalidText(.goodbye))" == "a text in GOODBYE that is not UTF-8")
  }

  @Test func `every type of frame has an example`() {
    #expect(Set(FrameExample.small.map(\.message.type)) == Set(FrameType.allCases))
  }

  @Test(arguments: FrameExample.small)
  func `a truncated frame gives no message`(_ example: FrameExample) throws {
    let head = example.head
    for count in 0..<head.count {
      var stream = FrameStream()
      try stream.feed(Array(head[..<count]))
      #expect(stream.messages.isEmpty, "after \(count) of \(head.count) bytes")
      #expect(stream.decoder.isMidFrame == (count > 0))
    }
  }

  @Test(arguments: FrameExample.small)
  func `a body shorter or longer than its fields is refused`(_ example: FrameExample) {
    let body = example.head[5...]
    // In DATA, all remaining bytes belong to leaves. So only a body that ends before the first of them is too short.
    let isData = example.message.type == .data
    var bodies = (0...body.count).filter { isData || $0 < body.count }.map { Array(body.prefix($0)) }
    if !isData { bodies.append(body + [0]) }
    for other in bodies {
      var stream = FrameStream()
      #expect(throws: WireError.self, "\(other.count) of \(body.count) bytes") {
        try stream.feed(frame(of: example.message.type.rawValue, other))
      }
    }
  }

  @Test func `frames that are split anywhere give the same messages`() throws {
    let bytes = FrameExample.small.flatMap(\.frame)
    for position in 0...bytes.count {
      var stream = FrameStream()
      try stream.feed(Array(bytes[..<position]))
      try stream.feed(Array(bytes[position...]))
      #expect(stream.messages == FrameExample.small.map(\.message), "split at \(position)")
      #expect(stream.payload == FrameExample.small.flatMap(\.payload))
    }
    var stream = FrameStream()
    for byte in bytes { try stream.feed([byte]) }
    #expect(stream.messages == FrameExample.small.map(\.message))
    #expect(stream.payload == FrameExample.small.flatMap(\.payload))
  }

  @Test func `the decoder never consumes the bytes of leaves`() throws {
    let example = FrameExample(FrameExample.data(LeafRange(first: 0, count: 4), hashes: 4, bytes: 65_536))
    let bytes = example.frame + FrameExample(.ping(1)).frame
    var decoder = FrameDecoder()
    var offset = 0
    #expect(try decoder.next(bytes.span.bytes, at: &offset) == example.message)
    #expect(offset == example.head.count)
    #expect(decoder.payloadBytesDue == 65_536)
    #expect(try decoder.next(bytes.span.bytes, at: &offset) == nil)
    #expect(offset == example.head.count, "while leaves' bytes are due it consumes nothing")
    decoder.tookPayload(65_535)
    offset += 65_535
    #expect(try decoder.next(bytes.span.bytes, at: &offset) == nil)
    #expect(decoder.payloadBytesDue == 1 && decoder.isMidFrame)
    decoder.tookPayload(1)
    offset += 1
    #expect(try decoder.next(bytes.span.bytes, at: &offset) == .ping(1))
  }

  @Test func `an announced length takes no memory until bytes arrive`() throws {
    let example = FrameExample.largest[1]
    var stream = FrameStream()
    try stream.feed(Array(example.frame[..<5]))
    #expect(stream.decoder.bufferBytes == 0)
    for (i, byte) in example.frame[5..<10_000].enumerated() {
      try stream.feed([byte])
      #expect(stream.decoder.bufferBytes <= 2 * i + 128)
    }
    try stream.feed(Array(example.frame[10_000...]))
    #expect(stream.messages == [example.message])
    #expect(stream.decoder.bufferBytes == 0, "an idle connection holds no buffer")
  }

  @Test func `frames of unknown odd types are skipped while they arrive`() throws {
    var stream = FrameStream()
    try stream.feed(frame(of: 0x01, []) + FrameExample(.ping(1)).frame)
    for byte in frame(of: 0xFF, Array(repeating: 7, count: 65_535)) {
      try stream.feed([byte])
      #expect(stream.decoder.bufferBytes <= 64)
    }
    try stream.feed(FrameExample(.ping(2)).frame)
    #expect(stream.messages == [.ping(1), .ping(2)])
  }

  @Test func `frames of unknown even types end the connection`() {
    for type in stride(from: UInt8(0), through: 0xFE, by: 2) where FrameType(rawValue: type) == nil {
      var stream = FrameStream()
      #expect(throws: WireError.unknownType(type)) { try stream.feed(frame(of: type, [])) }
    }
  }

  @Test func `a frame may be exactly as long as its limit`() {
    for (type, lengthMax) in [(UInt8(0x7F), 65_536), (0x0C, 69_632)] {
      for (length, isRefused) in [(UInt32(lengthMax), false), (UInt32(lengthMax) + 1, true), (.max, true), (0, true)] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: length)
        var stream = FrameStream()
        if isRefused {
          #expect(throws: WireError.badLength(length)) { try stream.feed(bytes + [type]) }
        } else {
          #expect(throws: Never.self) { try stream.feed(bytes + [type]) }
        }
      }
    }
  }

  @Test func `the decoder refuses a length that its type does not allow, before it reads the body`() {
    for type in FrameType.allCases {
      for bodyBytes in [type.bodyBytes.lowerBound - 1, type.bodyBytes.upperBound + 1] {
        var stream = FrameStream()
        #expect(throws: WireError.self, "\(type) of \(bodyBytes) bytes") {
          try stream.feed(Array(frame(of: type.rawValue, Array(repeating: 0, count: bodyBytes))[..<5]))
        }
      }
    }
  }

  @Test func `after an error the decoder reads nothing more`() {
    var stream = FrameStream()
    #expect(throws: WireError.unknownType(0x20)) { try stream.feed(frame(of: 0x20, [])) }
    #expect(throws: WireError.unknownType(0x20)) { try stream.feed(FrameExample(.ping(1)).frame) }
    #expect(stream.messages.isEmpty)
  }

  @Test func `texts that are too long are cut at the end of a character`() {
    #expect(Goodbye(code: .done, text: String(repeating: "é", count: 65)).text == String(repeating: "é", count: 64))
    #expect(Goodbye(code: .done, text: "a" + String(repeating: "é", count: 64)).text.utf8.count == 127)
    #expect(Goodbye(code: .done, text: String(repeating: "a", count: 128)).text.utf8.count == 128)
  }

  @Test func `a bitmap starts with the most significant bit`() {
    let bitmap = Bitmap(handle: FileHandle(7), firstChunk: ChunkIndex(8), count: 11, bits: [0xA5, 0xC0])
    #expect((0..<11).filter { bitmap[$0] } == [0, 2, 5, 7, 8, 9])
  }
}

/// Returns a frame with any type and body, even ones that no message has.
func frame(of type: UInt8, _ body: some Collection<UInt8>) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(bigEndian: UInt32(1 + body.count))
  return bytes + [type] + body
}
