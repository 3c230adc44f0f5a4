// Writes a folder as a tar archive: the parts between the bytes of its files.
import Content

/// The parts of a tar archive besides the files' bytes, in the pax form of POSIX.1-2001. Owner and time of all entries
/// are 0, because an ID does not contain them.
enum TarFormat {
  /// The bytes of a block. An archive is a sequence of blocks.
  static let blockSize = 512

  enum Kind: UInt8 {
    case file = 0x30
    case symbolicLink = 0x32
    case folder = 0x35
    /// Extended records for the next entry.
    case extended = 0x78
  }

  /// The most bytes of a path or target in a plain header.
  private static let plainPathMax = 100
  /// The most bytes of a file in a plain header: 11 octal digits.
  private static let plainSizeMax: UInt64 = 0o777_7777_7777

  /// Returns the header of an entry, after an extended header if it needs one.
  /// - `size`: the bytes of a file. 0 for other kinds.
  static func header(_ path: [UInt8], _ kind: Kind, size: UInt64 = 0, mode: UInt32, target: [UInt8] = []) -> [UInt8] {
    var records: [UInt8] = []
    if !isPlain(path) { records += record("path", path) }
    if !isPlain(target) { records += record("linkpath", target) }
    if size > plainSizeMax { records += record("size", Array("\(size)".utf8)) }
    var out: [UInt8] = []
    if !records.isEmpty {
      out += block(Array("pax".utf8), .extended, size: UInt64(records.count), mode: 0o644, target: [])
      out += records
      out += padding(after: UInt64(records.count))
    }
    return out + block(path, kind, size: min(size, plainSizeMax), mode: mode, target: target)
  }

  /// Returns the zero bytes that fill a file's last block.
  static func padding(after byteCount: UInt64) -> [UInt8] {
    let rest = Int(byteCount % UInt64(blockSize))
    return Array(repeating: 0, count: rest == 0 ? 0 : blockSize - rest)
  }

  /// The two empty blocks at the end of an archive.
  static let end = [UInt8](repeating: 0, count: 2 * blockSize)

  private static func isPlain(_ text: [UInt8]) -> Bool {
    text.count <= plainPathMax && text.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
  }

  /// Returns `length key=value\n`. The length includes its own digits.
  private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = 3 + key.utf8.count + value.count
    var length = rest
    while "\(length)".utf8.count + rest != length { length = "\(length)".utf8.count + rest }
    return Array("\(length) \(key)=".utf8) + value + [UInt8(ascii: "\n")]
  }

  private static func block(_ path: [UInt8], _ kind: Kind, size: UInt64, mode: UInt32, target: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: blockSize)
    func put(_ bytes: some Collection<UInt8>, at offset: Int) {
      for (place, byte) in bytes.enumerated() { out[offset + place] = byte }
    }
    func put(octal value: UInt64, digits: Int, at offset: Int) {
      let text = Array(String(value, radix: 8).utf8)
      put(Array(repeating: UInt8(ascii: "0"), count: digits - text.count) + text, at: offset)
    }
    put(path.prefix(plainPathMax), at: 0)
    put(octal: UInt64(mode), digits: 7, at: 100)
    put(octal: 0, digits: 7, at: 108)  // owner
    put(octal: 0, digits: 7, at: 116)  // group
    put(octal: size, digits: 11, at: 124)
    put(octal: 0, digits: 11, at: 136)  // time
    out[156] = kind.rawValue
    put(target.prefix(plainPathMax), at: 157)
    put(Array("ustar".utf8) + [0] + Array("00".utf8), at: 257)
    put(Array(repeating: UInt8(ascii: " "), count: 8), at: 148)
    put(octal: out.reduce(0) { $0 + UInt64($1) }, digits: 6, at: 148)
    (out[154], out[155]) = (0, UInt8(ascii: " "))
    return out
  }
}

extension FolderLayout {
  /// Returns what the archive has before a part of the contents: the header if a file begins there.
  /// - `run`: a part of one file.
  func tarHeader(before run: FolderRun) -> [UInt8] {
    guard run.offset == 0, case .file(let content, let isExecutable) = listing[run.entry].item else { return [] }
    return TarFormat.header(
      listing.path(of: run.entry).utf8, .file, size: content.length, mode: isExecutable ? 0o755 : 0o644)
  }

  /// Returns what the archive has after a part of the contents: the rest of the last block if a file ends there.
  func tarPadding(after run: FolderRun) -> [UInt8] {
    let length = listing.fileLength(of: run.entry)
    return run.offset + UInt64(run.count) == length ? TarFormat.padding(after: length) : []
  }

  /// Makes what the archive has after all contents: the entries without bytes, links last, and the end.
  /// - `entries`: the entries in the archive. Nil: all.
  /// - `body`: called for each entry, and for the end.
  func forTarTail<E: Error>(of entries: EntrySet?, _ body: ([UInt8]) throws(E) -> Void) throws(E) {
    for index in 0..<listing.count where entries?.contains(index) != false {
      let path = listing.path(of: index).utf8
      switch listing[index].item {
      case .file(let content, let isExecutable) where content.length == 0:
        try body(TarFormat.header(path, .file, mode: isExecutable ? 0o755 : 0o644))
      case .emptyFolder: try body(TarFormat.header(path + [UInt8(ascii: "/")], .folder, mode: 0o755))
      case .file, .symbolicLink: break
      }
    }
    for index in 0..<listing.count where entries?.contains(index) != false {
      guard case .symbolicLink(let target) = listing[index].item else { continue }
      try body(TarFormat.header(listing.path(of: index).utf8, .symbolicLink, mode: 0o777, target: target.utf8))
    }
    try body(TarFormat.end)
  }
}
