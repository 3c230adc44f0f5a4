// An invented folder: its listing, its contents, and its expected output.
import Content
import Glibc
import Storage
import TestSupport

/// A generator of the same numbers in each run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }
  mutating func next() -> UInt64 {
    state = (state ^ state >> 29) &* 0xBF58_476D_1CE4_E5B9 &+ 0x9E37_79B9_7F4A_7C15
    return state ^ state >> 32
  }
}

/// Verified bytes as a peer sends them.
struct FolderPiece: Sendable {
  let chunk: ChunkIndex
  let leaves: LeafRange
  let offset: UInt64
  let bytes: [UInt8]
}

/// The files, links and empty folders of a folder.
struct SampleFolder: Sendable {
  enum Item: Hashable, Sendable {
    case file([UInt8], isExecutable: Bool = false)
    case link(String)
    case folder
  }

  let items: [String: Item]
  let layout: FolderLayout
  let cut: ChunkLayout
  /// The contents: all files that are not empty, in layout order.
  let contents: [UInt8]

  init(_ items: [String: Item]) throws {
    let entries = try items.map { path, item in
      switch item {
      case .file(let bytes, let isExecutable):
        let root = bytes.isEmpty ? Digest.zero : try reference(bytes).file.root
        return FolderEntry(
          FolderPath(path), .file(FileContent(length: UInt64(bytes.count), root: root), isExecutable: isExecutable))
      case .link(let target): return FolderEntry(FolderPath(path), .symbolicLink(target: FolderPath(target)))
      case .folder: return FolderEntry(FolderPath(path), .emptyFolder)
      }
    }
    let listing = try FolderListing(entries)
    let layout = try FolderLayout(listing, root: try reference(listing.bytes).file.root)
    self.items = items
    self.layout = layout
    cut = ChunkLayout(layout)
    contents = layout.runs(at: 0, count: Int(listing.contentsLength)).flatMap { run -> [UInt8] in
      guard case .file(let bytes, _)? = items[listing.path(of: run.entry).description] else { return [] }
      return Array(bytes[Int(run.offset)..<Int(run.offset) + run.count])
    }
  }

  /// Files of many sizes, links, and folders with and without entries.
  static func varied() throws -> SampleFolder {
    var items: [String: Item] = [
      "big/large.bin": .file(pattern(2 << 20 + 70_001, seed: 3)), "big/second": .file(pattern(1 << 20 + 1, seed: 4)),
      "run.sh": .file(pattern(30, seed: 5), isExecutable: true), "none": .file([]),
      "deep/er/still/empty": .file([], isExecutable: true), "deep/er/void": .folder, "hollow": .folder,
      "deep/er/up": .link("../../run.sh"), "broken": .link("not/there"), "big/é\u{301} \n": .file(pattern(16_385)),
    ]
    for i in 0..<150 { items["small/\(i % 7)/\(i)"] = .file(pattern(1 + i * 397 % 20_000, seed: UInt64(i))) }
    for i in 0..<6 { items["middle/\(i)"] = .file(pattern(17_000 + i * 150_001, seed: UInt64(900 + i))) }
    return try SampleFolder(items)
  }

  var listing: FolderListing { layout.listing }

  func entry(_ path: String) -> Int { (0..<listing.count).first { listing.path(of: $0) == FolderPath(path) }! }

  /// All contents, in pieces of at most 64 KiB.
  var pieces: [FolderPiece] {
    (0..<UInt32(cut.chunkCount)).flatMap { number in
      let chunk = ChunkIndex(number)
      var (first, pieces): (Int, [FolderPiece]) = (0, [])
      while first < cut.leafCount(of: chunk) {
        let leaves = cut.run(from: first, to: cut.leafCount(of: chunk), byteCountMax: 65_536, in: chunk)
        let offset = cut.offset(ofLeaf: first, in: chunk)
        let count = cut.length(of: leaves, in: chunk)
        pieces.append(
          FolderPiece(
            chunk: chunk, leaves: leaves, offset: offset, bytes: Array(contents[Int(offset)..<Int(offset) + count])))
        first = leaves.end
      }
      return pieces
    }
  }

  /// Returns the true hashes of a chunk's leaves.
  func leafHashes(of chunk: ChunkIndex) -> [Digest] {
    let start = Int(cut.offset(of: chunk))
    let bytes = Array(contents[start..<start + cut.length(of: chunk)])
    return cut.leafHashes(bytes.span.bytes, of: chunk)
  }

  /// Returns all chunks, with the hashes that a download knows.
  func chunks(withLeafHashes: Bool) -> [ChunkOnDisk] {
    (0..<UInt32(cut.chunkCount)).map { number in
      let hashes = leafHashes(of: ChunkIndex(number))
      return ChunkOnDisk(
        ChunkIndex(number), hash: cut.chunkHash(hashes, of: ChunkIndex(number)),
        leafHashes: withLeafHashes ? hashes : nil)
    }
  }

  /// Reads what is below a folder. Leaves out folders that are not empty.
  static func items(below path: String) -> [String: Item] {
    var found: [String: Item] = [:]
    func visit(_ folder: String, _ prefix: String) {
      let names = names(in: folder)
      if names.isEmpty, !prefix.isEmpty { found[String(prefix.dropLast())] = .folder }
      for name in names {
        let full = folder + "/" + name
        var status = stat()
        guard lstat(full, &status) == 0 else { continue }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: visit(full, prefix + name + "/")
        case S_IFLNK:
          var target = [UInt8](repeating: 0, count: 4_096)
          let count = target.withUnsafeMutableBytes {
            readlink(full, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
          }
          found[prefix + name] = .link(String(decoding: target[..<max(0, count)], as: UTF8.self))
        default:
          var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
          let number = open(full, O_RDONLY)
          let count = pread(number, &bytes, bytes.count, 0)
          close(number)
          found[prefix + name] = .file(Array(bytes[..<max(0, count)]), isExecutable: status.st_mode & S_IXUSR != 0)
        }
      }
    }
    visit(path, "")
    return found
  }

  private static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }
}

extension FolderPart {
  func write(_ piece: FolderPiece) throws { try write(piece.bytes, at: piece.offset) }

  func write(_ bytes: [UInt8], at offset: UInt64) throws {
    // Write at most 64 KiB at a time, as a download does.
    for start in stride(from: 0, to: bytes.count, by: 65_536) {
      let piece = Array(bytes[start..<min(start + 65_536, bytes.count)])
      try write(piece.span.bytes, at: offset + UInt64(start))
    }
  }
}
