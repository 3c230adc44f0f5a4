// The bytes of a journal: a header, then batches. Each batch has its length and a checksum that chains it to all bytes
// before it, so that a reader recognises a torn end.
import Content
import Wire

/// The header of a journal: it names the file that the journal belongs to.
///
/// `"p2pnode journal\n" | version u8 | kind u8 | fileID 32 B | length u64 | root 32 B | name length u8 | name | SHA-256
/// of all before`, integers big-endian.
public struct JournalHeader: Hashable, Sendable {
  static let magic = Array("p2pnode journal\n".utf8)
  static let version: UInt8 = 1
  /// The longest file name that Linux allows, in bytes.
  static let nameBytesMax = 255

  public let kind: ContentKind
  public let fileID: FileID
  /// The file's length in bytes.
  public let length: UInt64
  public let root: Digest
  /// The output's name, a single path component.
  public let name: String

  /// - `name`: a single path component.
  public init(_ manifest: Manifest, name: String) {
    precondition(JournalHeader.isComponent(name), "a name is one component")
    self.init(kind: manifest.kind, fileID: manifest.fileID, length: manifest.length, root: manifest.root, name: name)
  }

  private init(kind: ContentKind, fileID: FileID, length: UInt64, root: Digest, name: String) {
    self.kind = kind
    self.fileID = fileID
    self.length = length
    self.root = root
    self.name = name
  }

  /// Returns whether the journal belongs to this file.
  func belongs(to manifest: Manifest) -> Bool {
    kind == manifest.kind && fileID == manifest.fileID && length == manifest.length && root == manifest.root
  }

  /// Returns whether a name can be an output's name: a single path component.
  public static func isComponent(_ name: String) -> Bool {
    let bytes = name.utf8
    return (1...nameBytesMax).contains(bytes.count) && name != "." && name != ".."
      && !bytes.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  /// Returns the header's bytes, and the checksum at their end.
  func encoded() -> (bytes: [UInt8], checksum: Digest) {
    var out = JournalHeader.magic
    out.append(JournalHeader.version)
    out.append(kind.rawValue)
    fileID.digest.append(to: &out)
    out.append(bigEndian: length)
    root.append(to: &out)
    out.append(UInt8(name.utf8.count))
    out += Array(name.utf8)
    let checksum = Digest(sha256: out.span.bytes)
    checksum.append(to: &out)
    return (out, checksum)
  }

  /// Nil if the bytes do not begin with a whole header of this version.
  static func decode(_ reader: inout ByteReader) -> (header: JournalHeader, checksum: Digest)? {
    guard reader.take(magic.count) == magic, reader.u8() == version, let kind = reader.u8().flatMap(ContentKind.init),
      let fileID = reader.digest(), let length = reader.u64(), let root = reader.digest(),
      let name = reader.u8().flatMap({ reader.take(Int($0)) }).flatMap({ String(validating: $0, as: UTF8.self) }),
      let checksum = reader.digest(), isComponent(name)
    else { return nil }
    let header = JournalHeader(kind: kind, fileID: FileID(digest: fileID), length: length, root: root, name: name)
    return header.encoded().checksum == checksum ? (header, checksum) : nil
  }
}

/// One record of a batch.
enum JournalRecord: Hashable, Sendable {
  /// `1 | page u32 | n u16 | n × 32 B chunk hashes | m u8 | m × 32 B uncle hashes`
  case page(HashPage)
  /// `2 | first chunk u32 | count u32 | mask u64`: each chunk of the run has these leaves on the disk, bit 0 the first.
  case leaves(first: ChunkIndex, count: UInt32, mask: UInt64)
  /// `3 | chunk u32 | n u8 | n × 32 B`: the leaf hashes of an unfinished chunk.
  case leafHashes(ChunkIndex, [Digest])
  /// `4 | n u8 | n B`: the new name of the output.
  case name(String)

  func append(to out: inout [UInt8]) {
    switch self {
    case .page(let page):
      out.append(1)
      out.append(bigEndian: page.index.rawValue)
      out.append(bigEndian: UInt16(page.chunkHashes.count))
      for hash in page.chunkHashes { hash.append(to: &out) }
      out.append(UInt8(page.uncles.count))
      for hash in page.uncles { hash.append(to: &out) }
    case .leaves(let first, let count, let mask):
      out.append(2)
      out.append(bigEndian: first.rawValue)
      out.append(bigEndian: count)
      out.append(bigEndian: mask)
    case .leafHashes(let chunk, let hashes):
      out.append(3)
      out.append(bigEndian: chunk.rawValue)
      out.append(UInt8(hashes.count))
      for hash in hashes { hash.append(to: &out) }
    case .name(let name):
      out.append(4)
      out.append(UInt8(name.utf8.count))
      out += Array(name.utf8)
    }
  }

  /// Nil if the next bytes are not a whole record.
  static func decode(_ reader: inout ByteReader) -> JournalRecord? {
    switch reader.u8() {
    case 1:
      guard let index = reader.u32(), let hashes = reader.u16().flatMap({ reader.digests(Int($0)) }),
        let uncles = reader.u8().flatMap({ reader.digests(Int($0)) })
      else { return nil }
      return .page(HashPage(index: PageIndex(index), chunkHashes: hashes, uncles: uncles))
    case 2:
      guard let first = reader.u32(), let count = reader.u32(), let mask = reader.u64() else { return nil }
      return .leaves(first: ChunkIndex(first), count: count, mask: mask)
    case 3:
      guard let chunk = reader.u32(), let hashes = reader.u8().flatMap({ reader.digests(Int($0)) }) else { return nil }
      return .leafHashes(ChunkIndex(chunk), hashes)
    case 4:
      guard let name = reader.u8().flatMap({ reader.take(Int($0)) }).flatMap({ String(validating: $0, as: UTF8.self) }),
        JournalHeader.isComponent(name)
      else { return nil }
      return .name(name)
    default: return nil
    }
  }
}

/// Records that were appended together: `length u32 | records | SHA-256 of (checksum before ‖ length ‖ records)`.
enum JournalBatch {
  /// Returns the batch's bytes, and the checksum at their end.
  static func encoded(_ records: [JournalRecord], after previous: Digest) -> (bytes: [UInt8], checksum: Digest) {
    var body: [UInt8] = []
    for record in records { record.append(to: &body) }
    var out: [UInt8] = []
    out.reserveCapacity(body.count + 4 + Digest.byteCount)
    out.append(bigEndian: UInt32(body.count))
    out += body
    let checksum = checksum(of: out, after: previous)
    checksum.append(to: &out)
    return (out, checksum)
  }

  /// Nil if the next bytes are not a whole batch.
  static func decode(
    _ reader: inout ByteReader, after previous: Digest
  ) -> (records: [JournalRecord], checksum: Digest)? {
    guard let length = reader.u32(), let body = reader.take(Int(length)), let checksum = reader.digest() else {
      return nil
    }
    var summed: [UInt8] = []
    summed.append(bigEndian: length)
    guard JournalBatch.checksum(of: summed + body, after: previous) == checksum else { return nil }
    var records: [JournalRecord] = []
    var inner = ByteReader(body)
    while !inner.isAtEnd {
      guard let record = JournalRecord.decode(&inner) else { return nil }
      records.append(record)
    }
    return (records, checksum)
  }

  private static func checksum(of bytes: [UInt8], after previous: Digest) -> Digest {
    Digest(sha256: (previous.bytes + bytes).span.bytes)
  }
}
