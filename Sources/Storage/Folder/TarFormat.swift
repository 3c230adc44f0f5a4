// A folder as a tar archive: what comes between the bytes of its files.
import Content

/// The parts of a tar archive besides the files' bytes, in the pax form of POSIX.1-2001. Entries have no owner and no time:
/// an ID names none.
enum TarFormat {
  /// The archive is a row of blocks of so many bytes.
  static let blockSize = 512

  enum Kind: UInt8 {
    case file = 0x30
    case symbolicLink = 0x32
    case folder = 0x35
    /// Records for the entry that follows.
    case extended = 0x78
  }

  /// The most bytes of a path or target in a plain header.
  private static let plainPathMax = 100
  /// The most bytes of a file in a plain header: 11 octal digits.
  private static let plainSizeMax: UInt64 = 0o777_7777_7777

  /// The header of an entry, with the extended one that it may need.
  /// - `size`: bytes of a file; 0 for other kinds.
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

  /// What follows a file's bytes, up to the end of the block.
  static func padding(after byteCount: UInt64) -> [UInt8] {
    let rest = Int(byteCount % UInt64(blockSize))
    return Array(repeating: 0, count: rest == 0 ? 0 : blockSize - rest)
  }

  /// The end of the archive.
  static let end = [UInt8](repeating: 0, count: 2 * blockSize)

  private static func isPlain(_ text: [UInt8]) -> Bool {
    text.count <= plainPathMax && text.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
  }

  /// `length key=value\n`; the length counts itself.
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
  /// What a tar archive has before a part of the contents: the header of a file that begins there.
  /// - `run`: a part of one file.
  func tarHeader(before run: FolderRun) -> [UInt8] {
    guard run.offset == 0, case .file(let content, let isExecutable) = listing[run.entry].item else { return [] }
    return TarFormat.header(
      listing.path(of: run.entry).utf8, .file, size: content.length, mode: isExecutable ? 0o755 : 0o644)
  }

  /// What a tar archive has after a part of the contents: the rest of the last block of a file that ends there.
  func tarPadding(after run: FolderRun) -> [UInt8] {
    let length = listing.fileLength(of: run.entry)
    return run.offset + UInt64(run.count) == length ? TarFormat.padding(after: length) : []
  }

  /// What a tar archive has after all contents: entries without bytes, links last, and the end.
  /// - `entries`: those that the archive has; nil: all.
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
