// Reads the published vectors, whose format `Protocol/README.md` describes.
import Foundation
import Testing

@testable import Content

/// A file of `name = hex` lines. Empty lines and lines that begin with # are ignored.
struct Vectors {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Protocol/vectors")
  static let arePresent = FileManager.default.fileExists(atPath: folder.appendingPathComponent("content.txt").path)

  let values: [String: [UInt8]]

  init(_ name: String) throws {
    let text = try String(contentsOf: Vectors.folder.appendingPathComponent(name), encoding: .utf8)
    var values: [String: [UInt8]] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let sides = line.components(separatedBy: "=").map { $0.trimmingCharacters(in: .whitespaces) }
      try #require(sides.count == 2, "\(line)")
      let digits = sides[1].utf8.map {
        UInt8($0 < UInt8(ascii: "a") ? $0 - UInt8(ascii: "0") : $0 - UInt8(ascii: "a") + 10)
      }
      try #require(digits.count % 2 == 0 && digits.allSatisfy { $0 < 16 }, "\(line)")
      values[sides[0]] = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
    self.values = values
  }

  subscript(name: String) -> [UInt8]? { values[name] }

  /// Returns a value as a number.
  func number(_ name: String) throws -> UInt64 {
    try #require(values[name], "\(name)").reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Returns a value as a list of numbers of `byteCount` bytes each.
  func numbers(_ name: String, of byteCount: Int) throws -> [UInt64] {
    let bytes = try #require(values[name], "\(name)")
    try #require(bytes.count % byteCount == 0, "\(name)")
    return stride(from: 0, to: bytes.count, by: byteCount).map { start in
      bytes[start..<start + byteCount].reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  /// Returns a value as a list of digests.
  func digests(_ name: String) throws -> [Digest] {
    let bytes = try #require(values[name], "\(name)")
    return try stride(from: 0, to: bytes.count, by: 32).map { start in
      try #require(Digest(bytes[start...].prefix(32)), "\(name)")
    }
  }

  /// Returns the numbers N of all names of the form `N.field`.
  func numbers(of field: String) -> [Int] {
    values.keys.filter { $0.hasSuffix("." + field) }.compactMap { Int($0.dropLast(field.count + 1)) }.sorted()
  }

  /// Returns the content of a file in the vectors: byte i is (i·i + 7·i + 3) mod 251.
  static func content(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = (0..<251).map { (i: Int) -> UInt8 in UInt8((i * i + 7 * i + 3) % 251) }
    while bytes.count < count { bytes += bytes }
    return Array(bytes[..<count])
  }
}

func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  stride(from: value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
}
