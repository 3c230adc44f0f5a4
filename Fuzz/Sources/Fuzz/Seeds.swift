// Seeds from Protocol/vectors: reads files of `name = hex` lines, and writes inputs to a folder.
import Glibc

/// The values of a file of vectors, in the order of the file.
typealias VectorValues = [(name: String, bytes: [UInt8])]

/// The folder of test vectors. A missing file has no values.
struct Vectors: Sendable {
  let folder: String

  func values(of file: String) -> VectorValues {
    var values: VectorValues = []
    for line in lines(of: "\(folder)/\(file).txt") where line.first != UInt8(ascii: "#") {
      guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = String(decoding: line[..<equals].filter { $0 != 0x20 }, as: UTF8.self)
      values.append((name, Vectors.bytes(hex: line[line.index(after: equals)...].filter { $0 != 0x20 })))
    }
    return values
  }

  /// Returns the values whose names pass `isExample`. Keys and digests are values but not examples.
  func examples(_ file: String, where isExample: (String) -> Bool = { _ in true }) -> [[UInt8]] {
    values(of: file).filter { isExample($0.name) }.map(\.bytes)
  }

  private func lines(of path: String) -> [ArraySlice<UInt8>] {
    guard let file = fopen(path, "rb") else { return [] }
    defer { fclose(file) }
    var text: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&block, 1, block.count, file), count > 0 { text += block[..<count] }
    return text.split(separator: UInt8(ascii: "\n"))
  }

  private static func bytes(hex digits: [UInt8]) -> [UInt8] {
    stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
  }
}

struct Seeds {
  let vectors: String

  /// Writes seeds to a folder. Returns false if a file cannot be written.
  func write(_ seeds: (Vectors) -> [[UInt8]], to folder: String) -> Bool {
    for (i, seed) in seeds(Vectors(folder: vectors)).enumerated() {
      guard let file = fopen("\(folder)/seed-\(i)", "wb") else { return false }
      defer { fclose(file) }
      guard fwrite(seed, 1, seed.count, file) == seed.count else { return false }
    }
    return true
  }
}
