// The checksum of leaf hashes that are kept before the root of their file is known: a run that continues the hashing
// would take a damaged row for the file's.
import Content

enum LeavesSeal {
  /// Shorter than a digest: readers of the hashes leave it out.
  private static let byteCount = 8

  /// The bytes of leaf hashes with their checksum.
  static func sealed(_ bytes: [UInt8]) -> [UInt8] { bytes + checksum(of: bytes) }

  /// The bytes without their checksum; nil if it is not theirs, or if they have none.
  static func opened(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count > byteCount else { return nil }
    let hashes = Array(bytes.dropLast(byteCount))
    return checksum(of: hashes).elementsEqual(bytes.suffix(byteCount)) ? hashes : nil
  }

  private static func checksum(of bytes: [UInt8]) -> ArraySlice<UInt8> {
    Digest(sha256: bytes.span.bytes).bytes.prefix(byteCount)
  }
}
