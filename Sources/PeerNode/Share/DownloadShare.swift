// The verified part of a download's file, which other peers may already fetch.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// The served side of a download. The control thread adds verified data; loops read it. Every offered leaf is on the
/// disk, and its hashes, which prove it, are in memory or on the disk.
final class DownloadShare: Sendable {
  /// The place of the bytes.
  enum Source: Sendable {
    case part(any PartStorage)
    /// The output under its final name. Other programs may change it.
    case finished(any CheckedOutput)
  }

  private struct State {
    var manifest: Manifest?
    var source: Source?
    var held: LocalAvailability?
    var pages: [PageIndex: HashPage] = [:]

    /// Returns the hash of a chunk of which a leaf was offered.
    func hash(of chunk: ChunkIndex) -> Digest? {
      guard let layout = manifest?.layout else { return nil }
      let cut = PageLayout(layout)
      guard let index = cut.page(of: chunk) else { return layout.folder?.knownHash(of: chunk) }
      return pages[index].map { $0.chunkHashes[Int(chunk.rawValue) - cut.chunks(of: index).lowerBound] }
    }
    var isFetching = true
    var hasLeft = false
  }

  let key: FileKey
  /// The way to the download, for incoming connections that fetch from their peers as well.
  let link: DownloadLink
  private let state = Mutex(State())

  init(key: FileKey, link: DownloadLink) {
    self.key = key
    self.link = link
  }

  // MARK: The download's side

  /// Starts to offer the file when its layout is known. Without a source nothing is offered.
  func begin(_ manifest: Manifest, _ source: Source?) {
    state.withLock { state in
      state.manifest = manifest
      state.source = source
      state.held = LocalAvailability(manifest.layout)
    }
  }

  /// Starts to offer a file that is already complete.
  func begin(_ manifest: Manifest, _ found: FoundFile) {
    state.withLock { state in
      state.manifest = manifest
      state.source = .finished(found.file)
      state.held = LocalAvailability(manifest.layout, isComplete: true)
      for page in 0..<found.tree.pages.pageCount {
        let index = PageIndex(UInt32(page))
        state.pages[index] = found.tree.page(index)
      }
    }
  }

  /// Adds a page that was verified against the root. Call it before any leaf of the page's chunks is added.
  func add(_ page: HashPage) { state.withLock { $0.pages[page.index] = page } }

  /// Adds leaves that are verified and written.
  func add(_ mask: UInt64, of chunk: ChunkIndex, leafHashes: [Digest]?) {
    state.withLock { $0.held?.add(mask, of: chunk, leafHashes: leafHashes) }
  }

  /// When new leaves are announced to peers; nil if there are none.
  var newsDeadline: Instant? { state.withLock { $0.held?.newsDeadline } }
  func takeNews(at now: Instant) -> [LeafRun] { state.withLock { $0.held?.takeNews(at: now) ?? [] } }

  /// Returns all leaf hashes of a chunk if they are in memory, so that the download need not request them.
  func knownLeafHashes(of chunk: ChunkIndex) -> [Digest]? { state.withLock { $0.held?.leafHashes(of: chunk) } }

  /// Notes that the download fetches no more.
  func stopFetching() { state.withLock { $0.isFetching = false } }

  /// Notes that the part file has become the output.
  func finish(_ file: any CheckedOutput) { state.withLock { $0.source = .finished(file) } }

  /// Ends the share, since the download is over. Loops that do not know it yet find no source.
  func leave() { state.withLock { ($0.source, $0.hasLeft) = (nil, true) } }

  // MARK: The loops' side

  /// Whether the download is over. A missing source is no error then.
  var hasLeft: Bool { state.withLock { $0.hasLeft } }

  /// Whether the download still fetches from peers that have the file.
  var isFetching: Bool { state.withLock { $0.isFetching } }

  /// The file for the answer to an OPEN; nil if it is not offered yet, or no longer.
  var offer: ServedFile? {
    state.withLock { state in
      guard let manifest = state.manifest, let held = state.held, state.source != nil else { return nil }
      // The name comes from the seed, not from the local user's choice.
      return ServedFile(
        kind: manifest.kind, key: key, pages: PageLayout(manifest.layout), root: manifest.root,
        name: manifest.fileName ?? "",
        parts: held.isComplete ? nil : held.offer)
    }
  }

  /// Whether any leaf is offered.
  var isOffered: Bool {
    state.withLock { state in
      guard let held = state.held, state.source != nil else { return false }
      return held.hasAny
    }
  }

  var layout: ChunkLayout? { state.withLock { $0.manifest?.layout } }

  /// Returns whether all these leaves are offered. Chunk and leaves may be out of range.
  func offers(_ leaves: LeafRange, of chunk: ChunkIndex) -> Bool {
    state.withLock { $0.held?.offers(leaves, of: chunk) ?? false }
  }

  /// Returns a page, or nil if no chunk of the page was offered.
  func page(_ index: PageIndex) -> HashPage? { state.withLock { $0.pages[index] } }

  /// The bytes that `leafHashes(of:)` reads and hashes; 0 if the hashes are in memory. The chunk need not exist.
  func bytesToHash(for chunk: ChunkIndex) -> Int {
    state.withLock { state in
      guard let layout = state.manifest?.layout, layout.contains(chunk), let held = state.held else { return 0 }
      let isKnown = held.leafHashes(of: chunk) != nil || layout.folder?.knownLeafHashes(of: chunk) != nil
      return isKnown ? 0 : layout.length(of: chunk)
    }
  }

  /// Returns the hashes of all leaves of a chunk that is offered at least in part. Computes them from the file if they
  /// are not in memory.
  func leafHashes(of chunk: ChunkIndex) throws(StoredFileError) -> [Digest] {
    let (known, due, layout) = state.withLock { state in
      (state.held!.leafHashes(of: chunk), state.hash(of: chunk), state.manifest!.layout)
    }
    if let known = known ?? layout.folder?.knownLeafHashes(of: chunk) { return known }
    let hashes = try MerkleTree.leafHashes(of: chunk, in: layout) { offset, count, bytes throws(StoredFileError) in
      try read(at: offset, count: count, into: &bytes)
    }
    guard layout.chunkHash(hashes, of: chunk) == due else {
      throw .changed(path: "chunk \(chunk.rawValue)")  // the disk lost the data, or another program wrote to the file
    }
    state.withLock { $0.held!.keep(hashes, of: chunk) }
    return hashes
  }

  /// Reads the offered leaves of a chunk again and compares them with their hashes. Throws `changed` if they differ.
  func recheck(_ chunk: ChunkIndex) throws(StoredFileError) {
    let (due, layout, part) = state.withLock { state -> (Digest?, ChunkLayout?, LocalAvailability.Offered?) in
      guard let layout = state.manifest?.layout, layout.contains(chunk), let held = state.held else {
        return (nil, nil, nil)
      }
      if let part = held.unfinished(chunk) { return (nil, layout, part) }
      guard held.offers(layout.leaves(of: chunk), of: chunk) else { return (nil, nil, nil) }
      return (state.hash(of: chunk), layout, nil)
    }
    if let layout, let part { return try recheck(part, of: chunk, in: layout) }
    guard let due, let layout else { return }
    let found = try MerkleTree.leafHashes(of: chunk, in: layout) { offset, count, bytes throws(StoredFileError) in
      try read(at: offset, count: count, into: &bytes)
    }
    guard layout.chunkHash(found, of: chunk) == due else {
      throw .changed(path: "chunk \(chunk.rawValue)")
    }
  }

  private func recheck(
    _ part: LocalAvailability.Offered, of chunk: ChunkIndex, in layout: ChunkLayout
  ) throws(StoredFileError) {
    var buffer = [UInt8](repeating: 0, count: layout.leafSize)
    for leaf in 0..<layout.leafCount(of: chunk) where part.mask & 1 << UInt64(leaf) != 0 {
      let leaves = LeafRange(first: leaf, count: 1)
      let byteCount = layout.length(of: leaves, in: chunk)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(at: layout.offset(ofLeaf: leaf, in: chunk), count: byteCount, into: &bytes)
      guard MerkleTree.leafHash(buffer.span.bytes.extracting(first: byteCount)) == part.leafHashes[leaf] else {
        throw .changed(path: "chunk \(chunk.rawValue)")
      }
    }
  }

  /// Fills the first `count` bytes of the span, 64 KiB at most, with offered leaves.
  func read(at offset: UInt64, count: Int, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    switch state.withLock({ $0.source }) {
    case nil: throw .removed(path: "the output")
    case .finished(let file): try file.read(at: offset, count: count, into: &buffer)
    case .part(let part):
      do throws(PartFileError) { try part.read(at: offset, count: count, into: &buffer) } catch {
        if case .io(let errno) = error { throw .unreadable(errno) }
        throw .changed(path: part.path)
      }
    }
  }

  /// Stops offering the file, which has changed. Returns false if it was not offered any more.
  func withdraw() -> Bool {
    state.withLock { state in
      defer { state.source = nil }
      return state.source != nil
    }
  }
}
