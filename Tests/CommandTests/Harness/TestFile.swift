// Contents of test files: all leaves differ, and each run makes the same bytes.
import Foundation

enum TestFile {
  private static let leafBytes = 16_384
  private static let blockBytes = 1 << 20

  /// Writes megabytes of pseudo-random words. Each leaf starts with its number.
  static func write(_ path: String, byteCount: Int, seed: UInt64) throws {
    var state = seed
    var block = [UInt64](repeating: 0, count: blockBytes / 8)
    for i in block.indices {  // SplitMix64
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      block[i] = word ^ (word >> 31)
    }
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else { throw Unexpected("cannot make \(path)") }
    defer { try? file.close() }
    for start in stride(from: 0, to: byteCount, by: blockBytes) {
      for leaf in stride(from: 0, to: blockBytes, by: leafBytes) {
        block[leaf / 8] = UInt64(start + leaf) ^ seed << 48
      }
      let count = min(blockBytes, byteCount - start)
      try file.write(contentsOf: block.withUnsafeBytes { Data($0[..<count]) })
    }
  }

  /// Whether two files have the same bytes.
  static func areEqual(_ one: String, _ other: String) -> Bool {
    FileManager.default.contentsEqual(atPath: one, andPath: other)
  }
}
