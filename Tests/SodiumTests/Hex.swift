// Bytes as hexadecimal digits, for known answers in tests.

func hex(_ bytes: [UInt8]) -> String { hex(bytes.span.bytes) }

func hex(_ bytes: RawSpan) -> String {
  bytes.byteOffsets.map { i in
    let digits = String(bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self), radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined()
}

func bytes(_ digits: String) -> [UInt8] {
  stride(from: 0, to: digits.count, by: 2).map { UInt8(digits.dropFirst($0).prefix(2), radix: 16)! }
}
