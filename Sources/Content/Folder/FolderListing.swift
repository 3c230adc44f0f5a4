// A folder listing as bytes: its files, links and empty folders. Equal trees have equal bytes.

/// A verified listing. Takes the memory of its bytes and four more bytes for each entry.
///
/// Source: `Protocol/README.md`, "Listing".
public struct FolderListing: Sendable {
  /// The most entries of a listing: 2^22.
  public static let entryCountMax = 1 << 22
  /// The most bytes of a listing: 2^30.
  public static let byteCountMax = 1 << 30
  /// The most bytes of all files of a listing: 2^42.
  public static let contentsLengthMax: UInt64 = 1 << 42

  static let magic = Array("p2pnode-folder-v1".utf8)
  static let headerByteCount = magic.count + 4

  /// The listing as it is hashed and sent.
  public let bytes: [UInt8]
  /// Where each entry begins.
  private let offsets: [UInt32]
  /// Bytes of all files.
  public let contentsLength: UInt64

  /// Decodes any bytes. Throws if they break a rule of listings.
  public init(decoding bytes: [UInt8]) throws(FolderListingFault) {
    var reader = FolderListingReader(bytes)
    let entryCount = try reader.header()
    var offsets: [UInt32] = []
    // Do not trust the count alone with memory: an entry has at least 4 bytes.
    offsets.reserveCapacity(min(entryCount, bytes.count / 4))
    for index in 0..<entryCount {
      offsets.append(UInt32(reader.offset))
      try reader.entry(index)
    }
    guard reader.isAtEnd else { throw FolderListingFault(.trailingBytes) }
    self.bytes = bytes
    self.offsets = offsets
    contentsLength = reader.contentsLength
  }

  /// Makes a listing from entries in any order. Throws if they break a rule of listings.
  public init(_ entries: [FolderEntry]) throws(FolderListingFault) {
    guard entries.count <= FolderListing.entryCountMax else { throw FolderListingFault(.tooManyEntries) }
    var bytes = FolderListing.magic
    for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(entries.count >> shift & 0xff)) }
    let order = entries.indices.sorted { entries[$0].path < entries[$1].path }
    for (place, index) in order.enumerated() {
      let entry = entries[index]
      guard entry.path.utf8.count <= FolderPath.byteCountMax else {
        throw FolderListingFault(.pathTooLong, entry: place)
      }
      if case .symbolicLink(let target) = entry.item, target.utf8.count > FolderPath.byteCountMax {
        throw FolderListingFault(.targetTooLong, entry: place)
      }
      entry.append(to: &bytes)
      guard bytes.count <= FolderListing.byteCountMax else { throw FolderListingFault(.tooLong) }
    }
    try self.init(decoding: bytes)
  }

  /// The number of entries.
  public var count: Int { offsets.count }

  /// An entry by its number, which must be below `count`.
  public subscript(index: Int) -> FolderEntry {
    let path = path(of: index)
    let next = Int(offsets[index]) + 3 + path.utf8.count
    switch kind(of: index) {
    case .file: return FolderEntry(path, .file(content(at: next), isExecutable: false))
    case .executable: return FolderEntry(path, .file(content(at: next), isExecutable: true))
    case .symbolicLink: return FolderEntry(path, .symbolicLink(target: FolderPath(utf8: text(at: next))))
    case .emptyFolder: return FolderEntry(path, .emptyFolder)
    }
  }

  /// Returns the path of an entry.
  public func path(of index: Int) -> FolderPath { FolderPath(utf8: text(at: Int(offsets[index]) + 1)) }

  /// Whether an entry is a file.
  public func isFile(_ index: Int) -> Bool { bytes[Int(offsets[index])] <= FolderEntry.Kind.executable.rawValue }

  /// Whether an entry is a file that its owner may execute.
  public func isExecutable(_ index: Int) -> Bool { kind(of: index) == .executable }

  /// Whether an entry is an empty folder.
  public func isEmptyFolder(_ index: Int) -> Bool { kind(of: index) == .emptyFolder }

  /// Returns the target of an entry that is a symbolic link. Nil if the entry is not a link.
  public func linkTarget(of index: Int) -> FolderPath? {
    guard kind(of: index) == .symbolicLink, case .symbolicLink(let target) = self[index].item else { return nil }
    return target
  }

  /// Returns the length in bytes of an entry that is a file.
  public func fileLength(of index: Int) -> UInt64 { length(at: contentOffset(of: index)) }

  /// Returns the root of an entry that is a file.
  public func fileRoot(of index: Int) -> Digest { Digest(bytes.span.bytes, at: contentOffset(of: index) + 8) }

  /// Returns the content of an entry that is a file.
  public func content(of index: Int) -> FileContent { content(at: contentOffset(of: index)) }

  private func kind(of index: Int) -> FolderEntry.Kind {
    guard let kind = FolderEntry.Kind(rawValue: bytes[Int(offsets[index])]) else {
      preconditionFailure("the listing was checked")
    }
    return kind
  }

  private func contentOffset(of index: Int) -> Int {
    let offset = Int(offsets[index]) + 1
    return offset + 2 + Int(bytes[offset]) << 8 + Int(bytes[offset + 1])
  }

  private func content(at offset: Int) -> FileContent {
    FileContent(length: length(at: offset), root: Digest(bytes.span.bytes, at: offset + 8))
  }

  private func length(at offset: Int) -> UInt64 {
    UInt64(bigEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// `u16 ‖ bytes`.
  private func text(at offset: Int) -> [UInt8] {
    Array(bytes[offset + 2..<offset + 2 + Int(bytes[offset]) << 8 + Int(bytes[offset + 1])])
  }
}

extension FolderListing: Hashable {
  public static func == (a: FolderListing, b: FolderListing) -> Bool { a.bytes == b.bytes }
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
