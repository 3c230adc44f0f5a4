// How a download opens the journal that an earlier download left, before it appends to the journal.
import Content

/// The start of a download's journal. A journal that fits the file is continued; any other one is replaced.
public struct JournalOpening: Sendable {
  /// The journal that later batches are chained to.
  public let contents: JournalContents
  /// The journal's claims about the part file.
  public let resume: JournalResume
  /// Bytes of the journal's file to keep. The caller cuts off the rest before it appends.
  public let keptByteCount: Int
  /// Bytes to append after the cut.
  public let appended: [UInt8]

  /// Returns whether a download needs a journal: the file is long enough, and a journal can hold the output's name.
  public static func isNeeded(for manifest: Manifest, name: String, _ settings: JournalSettings) -> Bool {
    manifest.length > settings.fileBytesWithoutJournalMax && JournalHeader.isComponent(name)
  }

  /// - `bytes`: the contents of the journal's file, empty if there was none.
  /// - `isPartNew`: there was no part file, so the journal's claims are about a file that is gone.
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
  /// How many chunks are looked for on the disk at a time: their leaf hashes take 2 MiB.
  public static let sharedChunksMax = 1 << 10

  /// Returns the next chunks of a folder to look for on the disk. Their hashes are known without a page. A folder may
  /// have millions of such chunks.
  /// - `first`: how many chunks earlier calls returned.
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

  /// Returns the chunks of a verified page, to look for on the disk.
  public func chunks(of page: HashPage, in pages: PageLayout) -> [ChunkOnDisk] {
    zip(pages.chunks(of: page.index), page.chunkHashes).map { index, hash in
      let chunk = ChunkIndex(UInt32(index))
      return ChunkOnDisk(
        chunk, hash: hash, leafHashes: leafHashes(of: chunk, hash: hash, in: pages.layout), claimed: claims[chunk] ?? 0)
    }
  }
}

extension JournalEvent {
  /// Returns the events for leaves that were found on the disk and verified. Leaves that the journal already claims
  /// become `held`, so that they are not claimed again.
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
