// Appends big-endian fields to bytes that will be sent. The only file of Wire with a raw pointer.

extension [UInt8] {
  /// Appends an unsigned integer, most significant byte first.
  package mutating func append<Value: FixedWidthInteger & UnsignedInteger>(bigEndian value: Value) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  /// Appends a range of a span in one copy. The range must lie within the span.
  mutating func append(_ bytes: RawSpan, _ range: Range<Int>) {
    bytes.extracting(range).withUnsafeBytes { append(contentsOf: $0) }
  }
}

extension String {
  /// Returns the longest start of the text that has at most `count` bytes of UTF-8 and whole characters only.
  func clipped(toUTF8Bytes count: Int) -> String {
    if utf8.count <= count { return self }
    var clipped = ""
    var bytes = 0
    for character in self {
      bytes += character.utf8.count
      if bytes > count { break }
      clipped.append(character)
    }
    return clipped
  }
}
