// Reads files of `Protocol/vectors/`: lines of `name = hex`; lines with `#` are comments.
import Foundation

/// One file of vectors. A missing name or digit means a broken checkout, so it stops the test.
package struct VectorFile {
  /// The names in the order of the file.
  package let names: [String]
  private let values: [String: [UInt8]]

  /// - `path`: relative to `Protocol/vectors/`, such as `invalid/frames.txt`.
  package init(_ path: String) throws {
    var names: [String] = []
    var values: [String: [UInt8]] = [:]
    for line in try VectorFile.text("vectors/\(path)").split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2, let bytes = VectorFile.bytes(hex: parts[1]) else { throw Malformed(line: String(line)) }
      guard values.updateValue(bytes, forKey: parts[0]) == nil else { throw Malformed(line: String(line)) }
      names.append(parts[0])
    }
    self.names = names
    self.values = values
  }

  package struct Malformed: Error {
    let line: String
  }

  /// Returns the text of a file below `Protocol/`.
  package static func text(_ path: String) throws -> String {
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    let url = repository.appendingPathComponent("Protocol").appendingPathComponent(path).standardized
    return try String(contentsOf: url, encoding: .utf8)
  }

  package subscript(name: String) -> [UInt8] {
    guard let bytes = values[name] else { preconditionFailure("no vector \(name)") }
    return bytes
  }

  /// Returns a value as a big-endian number.
  package func number(_ name: String) -> UInt64 { self[name].reduce(0) { $0 << 8 | UInt64($1) } }

  private static func bytes(hex: String) -> [UInt8]? {
    let digits = Array(hex.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for i in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[i...i + 1], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
