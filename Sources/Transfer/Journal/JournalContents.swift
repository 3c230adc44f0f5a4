// The contents of a journal, up to the torn end if there is one. They are a hint: the download verifies every claim
// against the root or the bytes on the disk.
import Content
import Wire

/// A journal as it was read from its file.
public struct JournalContents: Sendable {
  struct Run: Hashable, Sendable {
    let first: ChunkIndex
    let count: UInt32
    let mask: UInt64
  }

  public let header: JournalHeader
  /// The name that was last chosen for the output.
  public private(set) var name: String
  /// Bytes up to the end of the last whole batch. The caller cuts off what follows.
  public private(set) var byteCount: Int
  /// The checksum that the next batch is chained to.
  private(set) var checksum: Digest
  private(set) var pages: [PageIndex: HashPage] = [:]
  private(set) var runs: [Run] = []
  private(set) var leafHashes: [ChunkIndex: [Digest]] = [:]

  /// Reads the header and all whole batches. Nil if the header is not whole.
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

  /// Makes a new journal, which has only a header.
  public init(_ header: JournalHeader) {
    let (bytes, checksum) = header.encoded()
    self.header = header
    self.checksum = checksum
    name = header.name
    byteCount = bytes.count
  }

  /// Bytes of the file that the journal claims to be on the disk, in whole leaves, at most the file's length.
  public var claimedByteCount: UInt64 {
    var masks: [UInt32: UInt64] = [:]
    let chunkCount = UInt32(ChunkLayout(fileLength: header.length)?.chunkCount ?? 0)
    for run in runs {
      for chunk in 0..<min(run.count, chunkCount) { masks[run.first.rawValue &+ chunk, default: 0] |= run.mask }
    }
    let leaves = masks.values.reduce(0) { $0 + $1.nonzeroBitCount }
    return min(UInt64(leaves) * UInt64(ChunkLayout.wireLeafSize), header.length)
  }

  /// Returns the bytes of a new journal.
  public static func opening(_ header: JournalHeader) -> [UInt8] { header.encoded().bytes }

  /// Gives the output another name. Returns the bytes to append to the journal.
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

  /// Returns, for each chunk, a mask of the leaves that the journal claims to be on the disk. The masks have only
  /// leaves that the chunk has.
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

  /// Returns the pages of the journal that verify against the root, and its unverified claims. Nil if the journal
  /// belongs to another file.
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

/// The part of a journal that a resumed download uses.
public struct JournalResume: Sendable {
  /// Pages that were verified against the root, in ascending order.
  public let pages: [HashPage]
  /// Leaves that the journal claims to be on the disk, not yet verified.
  public let claims: [ChunkIndex: UInt64]
  /// Not yet verified: `leafHashes(of:hash:in:)` verifies them.
  private let leafHashes: [ChunkIndex: [Digest]]

  public init() { self.init(pages: [], claims: [:], leafHashes: [:]) }

  init(pages: [HashPage], claims: [ChunkIndex: UInt64], leafHashes: [ChunkIndex: [Digest]]) {
    self.pages = pages
    self.claims = claims
    self.leafHashes = leafHashes
  }

  /// Returns the hashes of a chunk's leaves. Nil if the journal lacks them, or they do not verify against the chunk
  /// hash.
  public func leafHashes(of chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout) -> [Digest]? {
    guard let hashes = leafHashes[chunk] else { return nil }
    do throws(LeafHashesFault) {
      return try LeafHashes(verifying: hashes, of: chunk, hash: hash, in: layout).hashes
    } catch {
      return nil
    }
  }
}
