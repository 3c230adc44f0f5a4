// How a download opens the journal that an earlier download left, before it appends to it.
import Content

/// How a download's journal begins: a whole one goes on, anything else is replaced.
public struct JournalOpening: Sendable {
  /// What batches are chained to.
  public let contents: JournalContents
  /// What it says of the part file.
  public let resume: JournalResume
  /// Bytes of the journal's file that stay. The caller cuts off the rest before it appends.
  public let keptByteCount: Int
  /// Bytes to append then.
  public let appended: [UInt8]

  /// Whether a file is long enough for a journal, and its name one that a journal can say.
  public static func isNeeded(for manifest: Manifest, name: String, _ settings: JournalSettings) -> Bool {
    manifest.length > settings.fileBytesWithoutJournalMax && JournalHeader.isComponent(name)
  }

  /// - `bytes`: of the journal's file, empty where there was none.
  /// - `isPartNew`: there was no part file. What such a journal says is of another's bytes.
  public init(
    _ bytes: [UInt8], isPartNew: Bool, of manifest: Manifest, name: String,
    chunksPerPage: Int = PageLayout.wireChunksPerPage
  ) {
    if !isPartNew, var contents = JournalContents(decoding: bytes),
      let resume = contents.resume(of: manifest, chunksPerPage: chunksPerPage)
    {
      keptByteCount = contents.byteCount
      appended = contents.name == name ? [] : contents.rename(to: name)
      self.contents = contents
      self.resume = resume
    } else {
      let header = JournalHeader(manifest, name: name)
      keptByteCount = 0
      appended = JournalContents.opening(header)
      contents = JournalContents(header)
      resume = JournalResume()
    }
  }
}

extension JournalResume {
  /// How many chunks are looked for at a time: their leaf hashes take 2 MiB.
  public static let sharedChunksMax = 1 << 10

  /// The next chunks of a folder whose hashes are known without a page, to be looked for on the disk. A folder may have
  /// millions of them.
  /// - `first`: how many came before.
  public func sharedChunks(
    of folder: FolderLayout, from first: Int, countMax: Int = JournalResume.sharedChunksMax
  ) -> [ChunkOnDisk] {
    folder.sharedChunks.dropFirst(first).prefix(countMax).map { chunk in
      guard let hash = folder.knownHash(of: chunk) else { preconditionFailure("a shared chunk has a hash") }
      let leafHashes = folder.knownLeafHashes(of: chunk)
      return ChunkOnDisk(
        chunk, hash: hash,
        leafHashes: leafHashes ?? self.leafHashes(of: chunk, hash: hash, in: ChunkLayout(folder)),
        claimed: claims[chunk] ?? 0)
    }
  }

  /// The chunks of a verified page, to be looked for on the disk.
  public func chunks(of page: HashPage, in pages: PageLayout) -> [ChunkOnDisk] {
    zip(pages.chunks(of: page.index), page.chunkHashes).map { index, hash in
      let chunk = ChunkIndex(UInt32(index))
      return ChunkOnDisk(
        chunk, hash: hash, leafHashes: leafHashes(of: chunk, hash: hash, in: pages.layout), claimed: claims[chunk] ?? 0)
    }
  }
}

extension JournalEvent {
  /// The event for leaves that were found to be right: the journal does not claim again what it claims already.
  public static func found(
    _ leaves: [(chunk: ChunkIndex, mask: UInt64)], among chunks: [ChunkOnDisk]
  ) -> [JournalEvent] {
    let known = Dictionary(uniqueKeysWithValues: chunks.map { ($0.chunk, $0) })
    return leaves.flatMap { chunk, mask -> [JournalEvent] in
      let claimed = mask & (known[chunk]?.claimed ?? 0)
      let held: [JournalEvent] = claimed == 0 ? [] : [.held(chunk, mask: claimed)]
      return held + [.verified(chunk, mask: mask & ~claimed, leafHashes: known[chunk]?.leafHashes)]
    }
  }
}
