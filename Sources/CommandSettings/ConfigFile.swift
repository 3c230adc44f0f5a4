// The configuration file: lines of `key = value`. Reading is strict, so that a typing error does not silently mean the
// default.
import Content
import Posix

/// The contents of a configuration file: the values of each key with their lines, in the file's order.
package struct ConfigFile: Equatable, Sendable {
  /// The most bytes of a file: far more than all keys need.
  private static let bytesMax: UInt64 = 1 << 20

  package struct Entry: Equatable, Sendable {
    package let value: String
    /// The line number, from 1.
    package let line: Int
  }

  package let path: String
  package private(set) var entries: [SettingKey: [Entry]] = [:]

  /// Reads the text of a file. `path` is its name in messages, and relative paths in it start at its folder.
  package init(_ bytes: [UInt8], path: String) throws(SettingsError) {
    self.path = path
    for (i, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      try read(line.prefix { $0 != UInt8(ascii: "#") }, number: i + 1)
    }
  }

  /// Reads the file at a path. Nil if there is none.
  package static func read(_ path: String) throws(SettingsError) -> ConfigFile? {
    guard let bytes = try SmallFile.read(path, bytesMax: bytesMax) else { return nil }
    return try ConfigFile(bytes, path: path)
  }

  private mutating func read(_ line: ArraySlice<UInt8>, number: Int) throws(SettingsError) {
    let line = trimmed(line)
    if line.isEmpty { return }
    func fail(_ what: String) -> SettingsError { SettingsError(.usage, "\(path):\(number): \(what)") }
    guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
      throw fail("'\(shown(line))' is not 'key = value'; 'p2pnode config --default' prints a file to start from")
    }
    let name = trimmed(line[..<equals])
    let value = trimmed(line[line.index(after: equals)...])
    guard let key = SettingKey(rawValue: String(decoding: name, as: UTF8.self)) else {
      let question = Misspelling.question(
        about: String(decoding: name, as: UTF8.self), among: SettingKey.allCases.map(\.rawValue))
      throw fail(
        "there is no key '\(shown(name))'\(question): correct or remove the line; 'p2pnode config --default' has all keys"
      )
    }
    guard !value.isEmpty, let text = String(validating: value, as: UTF8.self) else {
      throw fail("\(key.rawValue) has no value: write \(key.form); or remove the line, which means \(key.standard)")
    }
    if let first = entries[key]?.first, !key.isList {
      throw fail("\(key.rawValue) was set in line \(first.line) already: remove one of the two")
    }
    entries[key, default: []].append(Entry(value: text, line: number))
  }

  private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    var rest = bytes.drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return rest
  }

  private func shown(_ bytes: ArraySlice<UInt8>) -> String {
    SuggestedName.escapedForTerminal(String(decoding: bytes.prefix(80), as: UTF8.self))
  }
}
