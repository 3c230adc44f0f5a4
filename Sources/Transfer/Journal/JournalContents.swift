// The contents of a journal, up to its torn end if it has one. They are a hint: nothing counts before it was verified
// against the root or the bytes on the disk.
import Content
import Wire

/// A journal that was read.
public struct JournalContents: Sendable {
  struct Run: Hashable, Sendable {
    let first: ChunkIndex
    let count: UInt32
    let mask: UInt64
  }

  public let header: JournalHeader
  /// The output's name: the last that was chosen.
  public private(set) var name: String
  /// Bytes up to the end of the last whole batch. The caller cuts off what follows.
  public private(set) var byteCount: Int
  /// The checksum that the next batch is chained to.
  private(set) var checksum: Digest
  private(set) var pages: [PageIndex: HashPage] = [:]
  private(set) var runs: [Run] = []
  private(set) var leafHashes: [ChunkIndex: [Digest]] = [:]

  /// Reads as far as the bytes are whole. Nil where not even the header is.
  public init?(decoding bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    guard let (header, checksum) = JournalHeader.decode(&reader) else { return nil }
    self.header = header
    self.checksum = checksum
    name = header.name
    byteCount = bytes.count - reader.bytesLeft
    while let (records, checksum) = JournalBatch.decode(&reader, after: self.checksum) {
      for record in records { take(record) }
      self.checksum = checksum
      byteCount = bytes.count - reader.bytesLeft
    }
  }

  /// A journal that begins: its header is all that it says.
  public init(_ header: JournalHeader) {
    let (bytes, checksum) = header.encoded()
    self.header = header
    self.checksum = checksum
    name = header.name
    byteCount = bytes.count
  }

  /// Bytes of the file that the journal claims, in whole leaves; never more than the file has.
  public var claimedByteCount: UInt64 {
    var masks: [UInt32: UInt64] = [:]
    let chunkCount = UInt32(ChunkLayout(fileLength: header.length)?.chunkCount ?? 0)
    for run in runs {
      for chunk in 0..<min(run.count, chunkCount) { masks[run.first.rawValue &+ chunk, default: 0] |= run.mask }
    }
    let leaves = masks.values.reduce(0) { $0 + $1.nonzeroBitCount }
    return min(UInt64(leaves) * UInt64(ChunkLayout.wireLeafSize), header.length)
  }

  /// The bytes of a journal that begins.
  public static func opening(_ header: JournalHeader) -> [UInt8] { header.encoded().bytes }

  /// The output gets another name. Returns the bytes to append.
  public mutating func rename(to name: String) -> [UInt8] {
    precondition(JournalHeader.isComponent(name), "a name is one component")
    let (bytes, checksum) = JournalBatch.encoded([.name(name)], after: checksum)
    self.checksum = checksum
    self.name = name
    byteCount += bytes.count
    return bytes
  }

  private mutating func take(_ record: JournalRecord) {
    switch record {
    case .page(let page): pages[page.index] = page
    case .leaves(let first, let count, let mask): runs.append(Run(first: first, count: count, mask: mask))
    case .leafHashes(let chunk, let hashes): leafHashes[chunk] = hashes
    case .name(let name): self.name = name
    }
  }

  /// What the journal claims to be on the disk, by chunk of the file, as leaves that the chunk has.
  public func claims(in layout: ChunkLayout) -> [ChunkIndex: UInt64] {
    var claims: [ChunkIndex: UInt64] = [:]
    for run in runs {
      let end = UInt64(run.first.rawValue) + UInt64(run.count)
      for chunk in UInt64(run.first.rawValue)..<min(end, max(UInt64(layout.chunkCount), UInt64(run.first.rawValue))) {
        let chunk = ChunkIndex(UInt32(chunk))
        claims[chunk, default: 0] |= run.mask & layout.leaves(of: chunk).mask
      }
    }
    return claims
  }

  /// The parts of the journal that verify against the root, and its claims. Nil if it belongs to another file.
  public func resume(
    of manifest: Manifest, chunksPerPage: Int = PageLayout.wireChunksPerPage
  ) -> JournalResume? {
    guard header.belongs(to: manifest) else { return nil }
    let layout = PageLayout(manifest.layout, chunksPerPage: chunksPerPage)
    let verified = pages.values.filter { page in
      do throws(HashPageFault) {
        try page.verify(against: manifest.root, in: layout)
        return true
      } catch {
        return false
      }
    }
    return JournalResume(
      pages: verified.sorted { $0.index < $1.index }, claims: claims(in: manifest.layout), leafHashes: leafHashes)
  }
}

/// What a journal gives a download that goes on.
public struct JournalResume: Sendable {
  /// Verified against the root, in order.
  public let pages: [HashPage]
  /// Leaves that are said to be on the disk.
  public let claims: [ChunkIndex: UInt64]
  /// Not yet verified: see `leafHashes(of:hash:in:)`.
  private let leafHashes: [ChunkIndex: [Digest]]

  public init() { self.init(pages: [], claims: [:], leafHashes: [:]) }

  init(pages: [HashPage], claims: [ChunkIndex: UInt64], leafHashes: [ChunkIndex: [Digest]]) {
    self.pages = pages
    self.claims = claims
    self.leafHashes = leafHashes
  }

  /// The hashes of a chunk's leaves, if the journal has them and they are those of the chunk.
  public func leafHashes(of chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout) -> [Digest]? {
    guard let hashes = leafHashes[chunk] else { return nil }
    do throws(LeafHashesFault) {
      return try LeafHashes(verifying: hashes, of: chunk, hash: hash, in: layout).hashes
    } catch {
      return nil
    }
  }
}
