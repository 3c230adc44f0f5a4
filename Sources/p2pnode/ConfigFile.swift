// The configuration file: lines of `key = value`, read strictly, so that a slip of the pen is no silent default.
import Posix
import Storage

/// What a configuration file says: each key's values with their lines, in the file's order.
struct ConfigFile: Equatable, Sendable {
  /// Far more than all keys need.
  private static let bytesMax: UInt64 = 1 << 20

  struct Entry: Equatable, Sendable {
    let value: String
    /// From 1 on.
    let line: Int
  }

  let path: String
  private(set) var entries: [SettingKey: [Entry]] = [:]

  /// Reads the text of a file. `path` is what messages call it, and where relative paths in it begin.
  init(_ bytes: [UInt8], path: String) throws(Failure) {
    self.path = path
    for (i, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      try read(line.prefix { $0 != UInt8(ascii: "#") }, number: i + 1)
    }
  }

  /// The file at a path; nil where there is none.
  static func read(_ path: String) throws(Failure) -> ConfigFile? {
    guard let bytes = try SmallFile.read(path, bytesMax: bytesMax) else { return nil }
    return try ConfigFile(bytes, path: path)
  }

  private mutating func read(_ line: ArraySlice<UInt8>, number: Int) throws(Failure) {
    let line = trimmed(line)
    if line.isEmpty { return }
    func fail(_ what: String) -> Failure { Failure(Exit.usage, "\(path):\(number): \(what)") }
    guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else {
      throw fail("'\(shown(line))' is not 'key = value'; 'p2pnode config --default' prints a file to start from")
    }
    let name = trimmed(line[..<equals])
    let value = trimmed(line[line.index(after: equals)...])
    guard let key = SettingKey(rawValue: String(decoding: name, as: UTF8.self)) else {
      throw fail("there is no key '\(shown(name))': remove the line, or see 'p2pnode config --default' for all keys")
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
    Console.escaped(String(decoding: bytes.prefix(80), as: UTF8.self))
  }
}

/// Files that a person wrote for this program.
enum SmallFile {
  /// All bytes of a regular file; nil where there is none. `/dev/null` is an empty one.
  static func read(_ path: String, bytesMax: UInt64) throws(Failure) -> [UInt8]? {
    if path == "/dev/null" { return [] }
    var status: FileStatus?
    var bytes: [UInt8] = []
    do throws(Errno) {
      let file = try File(path, [.read, .nonBlocking])
      let found = try file.status()
      status = found
      if found.kind == .regular && found.size <= bytesMax {
        bytes = Array(repeating: 0, count: Int(found.size))
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let count = try file.read(at: 0, into: &raw)
        bytes.removeLast(bytes.count - count)
      }
    } catch {
      if error.code == Errno.noEntry { return nil }
      throw Failure(Exit.noInput, "cannot read \(error); make it readable, or move it away")
    }
    guard let status, status.kind == .regular else {
      throw Failure(Exit.noInput, "\(path): is not a regular file; move it away, or put a file in its place")
    }
    guard status.size <= bytesMax else {
      throw Failure(Exit.noInput, "\(path): is longer than \(bytesMax) bytes; make it shorter")
    }
    return bytes
  }
}
