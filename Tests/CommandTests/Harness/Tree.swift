// Trees of files: what a test serves, and what a folder on the disk contains.
import Foundation

/// The files, links and empty folders below a folder, by their paths.
struct Tree: Equatable {
  enum Item: Hashable {
    case file(Data, isExecutable: Bool = false)
    case link(String)
    case folder

    fileprivate var kind: Int {
      switch self {
      case .file: 0
      case .link: 1
      case .folder: 2
      }
    }
  }

  var items: [String: Item]

  init(_ items: [String: Item]) { self.items = items }

  /// Reads a folder. Leaves out folders that are not empty, and part folders.
  init(at folder: String) throws {
    items = [:]
    try read(folder, prefix: "")
  }

  private mutating func read(_ folder: String, prefix: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasSuffix(".p2p-part") }
    if names.isEmpty, !prefix.isEmpty { items[String(prefix.dropLast())] = .folder }
    for name in names {
      let path = folder + "/" + name
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      switch attributes[.type] as? FileAttributeType {
      case .typeDirectory: try read(path, prefix: prefix + name + "/")
      case .typeSymbolicLink:
        items[prefix + name] = .link(try FileManager.default.destinationOfSymbolicLink(atPath: path))
      default:
        let mode = attributes[.posixPermissions] as? Int ?? 0
        items[prefix + name] = .file(try Data(contentsOf: URL(fileURLWithPath: path)), isExecutable: mode & 0o100 != 0)
      }
    }
  }

  /// Makes the folder with the tree in it.
  func write(to folder: String) throws {
    for (path, item) in items {
      let full = folder + "/" + path
      let parent = item == .folder ? full : String(full[..<full.lastIndex(of: "/")!])
      try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      switch item {
      case .file(let bytes, let isExecutable):
        try bytes.write(to: URL(fileURLWithPath: full))
        chmod(full, isExecutable ? 0o755 : 0o644)
      case .link(let target): try FileManager.default.createSymbolicLink(atPath: full, withDestinationPath: target)
      case .folder: break
      }
    }
  }

  /// The sum of the lengths of all files.
  var byteCount: Int {
    items.values.reduce(0) { if case .file(let bytes, _) = $1 { $0 + bytes.count } else { $0 } }
  }

  /// Paths that match neither of two versions, and missing paths that both versions have, with the same kind.
  func paths(fromNeither old: Tree, nor new: Tree) -> [String] {
    let strange = items.filter { $0.value != .folder && $0.value != old.items[$0.key] && $0.value != new.items[$0.key] }
    let lost = old.items.filter {
      items[$0.key] == nil && $0.value != .folder && $0.value.kind == new.items[$0.key]?.kind
    }
    return strange.keys.sorted() + lost.keys.sorted()
  }

  /// Makes a tree with each kind of entry.
  /// - `largeBytes`: the length of its largest file.
  static func sample(largeBytes: Int, seed: UInt64 = 1) -> Tree {
    var items: [String: Item] = [
      "large.bin": .file(bytes(largeBytes, seed: seed)), "run.sh": .file(Data("#!/bin/sh\n".utf8), isExecutable: true),
      "empty": .file(Data()), "void/in": .folder, "deep/er/up": .link("../../run.sh"), "small/link": .link("1"),
      "dangling": .link("not/there"),
    ]
    for i in 0..<4 { items["middle/\(i)"] = .file(bytes(17_000 + i * 300_001, seed: seed + 10 + UInt64(i))) }
    for i in 0..<120 {
      items["small/\(i % 5)/\(i)"] = .file(bytes(1 + i * 397 % 20_000, seed: seed + 100 + UInt64(i)))
    }
    return Tree(items)
  }

  /// Returns an older version of a sample. Little of it is right: its entries differ in each possible way.
  func older() -> Tree {
    var old = self
    for (path, item) in items {
      guard case .file(let bytes, _) = item, bytes.count > 0 else { continue }
      switch path.hashed % 4 {
      case 0: old.items[path] = .file(Tree.bytes(bytes.count, seed: 7))
      case 1: old.items[path] = .file(Tree.bytes(bytes.count / 2 + 1, seed: 8))
      case 2: old.items[path] = nil
      default: break
      }
    }
    if case .file(var bytes, _)? = items["large.bin"] {
      // In each megabyte, all but the first 200,000 bytes are wrong.
      for start in stride(from: 0, to: bytes.count, by: 1 << 20) {
        let range = min(start + 200_000, bytes.count)..<min(start + 1 << 20, bytes.count)
        bytes.replaceSubrange(range, with: Tree.bytes(range.count, seed: UInt64(start) + 9))
      }
      old.items["large.bin"] = .file(bytes)
    }
    old.items["small/link"] = .link("2")
    old.items["dangling"] = .file(Data("a file that becomes a link".utf8))
    old.items["deep/er/up"] = nil
    old.items["deep"] = .file(Data("a file that becomes a folder".utf8))
    for i in 0..<20 { old.items["gone/\(i % 3)/\(i)"] = .file(Tree.bytes(900, seed: UInt64(i) + 500)) }
    return old
  }

  private static func bytes(_ count: Int, seed: UInt64) -> Data {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    var words = [UInt64](repeating: 0, count: (count + 7) / 8)
    for i in words.indices {
      state = (state ^ state >> 29) &* 0xBF58_476D_1CE4_E5B9 &+ 0x9E37_79B9_7F4A_7C15
      words[i] = state ^ state >> 32
    }
    return words.withUnsafeBytes { Data($0.prefix(count)) }
  }
}

extension String {
  /// A hash that is the same in each run.
  fileprivate var hashed: Int { utf8.reduce(7) { ($0 * 31 + Int($1)) % 65_521 } }
}
