// The part of a download's file that other peers may fetch, from the first verified leaf on.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// The served side of a download. The control thread enters what is verified, loops ask. Every leaf that is offered is
/// written, and proven by hashes that are in memory or on the disk.
final class DownloadShare: Sendable {
  /// Where the bytes are.
  enum Source: Sendable {
    case part(any PartStorage)
    /// The output has its name, and others may change it.
    case finished(any CheckedOutput)
  }

  private struct State {
    var manifest: Manifest?
    var source: Source?
    var held: LocalAvailability?
    var pages: [PageIndex: HashPage] = [:]

    /// The hash of a chunk of which a leaf was offered.
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
  /// The download, for connections that came in and will fetch as well.
  let link: DownloadLink
  private let state = Mutex(State())

  init(key: FileKey, link: DownloadLink) {
    self.key = key
    self.link = link
  }

  // MARK: The download's side

  /// The layout is known. Without a source nothing is offered.
  func begin(_ manifest: Manifest, _ source: Source?) {
    state.withLock { state in
      state.manifest = manifest
      state.source = source
      state.held = LocalAvailability(manifest.layout)
    }
  }

  /// The file is complete.
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

  /// A page that leads to the root: before any leaf of its chunks.
  func add(_ page: HashPage) { state.withLock { $0.pages[page.index] = page } }

  /// Leaves that hash and are written.
  func add(_ mask: UInt64, of chunk: ChunkIndex, leafHashes: [Digest]?) {
    state.withLock { $0.held?.add(mask, of: chunk, leafHashes: leafHashes) }
  }

  /// When peers hear of leaves that are new; nil if none are.
  var newsDeadline: Instant? { state.withLock { $0.held?.newsDeadline } }
  func takeNews(at now: Instant) -> [LeafRun] { state.withLock { $0.held?.takeNews(at: now) ?? [] } }

  /// All leaf hashes of a chunk if they are in memory: the download need not ask a peer for them.
  func knownLeafHashes(of chunk: ChunkIndex) -> [Digest]? { state.withLock { $0.held?.leafHashes(of: chunk) } }

  /// Nothing more is fetched.
  func stopFetching() { state.withLock { $0.isFetching = false } }

  /// The part file has become the output.
  func finish(_ file: any CheckedOutput) { state.withLock { $0.source = .finished(file) } }

  /// The download is over. Loops that have not heard of that yet find no source.
  func leave() { state.withLock { ($0.source, $0.hasLeft) = (nil, true) } }

  // MARK: The loops' side

  /// Whether the download is over: then no source means no failure.
  var hasLeft: Bool { state.withLock { $0.hasLeft } }

  /// Whether the download asks peers that have the file for it.
  var isFetching: Bool { state.withLock { $0.isFetching } }

  /// The file for the answer to an OPEN; nil if none is offered yet, or any more.
  var offer: ServedFile? {
    state.withLock { state in
      guard let manifest = state.manifest, let held = state.held, state.source != nil else { return nil }
      // The name is the seed's, not the one that the local user chose.
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

  /// Any leaves of any chunk.
  func offers(_ leaves: LeafRange, of chunk: ChunkIndex) -> Bool {
    state.withLock { $0.held?.offers(leaves, of: chunk) ?? false }
  }

  /// Nil if no chunk of the page was offered.
  func page(_ index: PageIndex) -> HashPage? { state.withLock { $0.pages[index] } }

  /// The hashes of all leaves of a chunk that is offered at least in part; read from the disk if they are not in memory.
  func leafHashes(of chunk: ChunkIndex) throws(StoredFileError) -> [Digest] {
    let (known, due, layout) = state.withLock { state in
      (state.held!.leafHashes(of: chunk), state.hash(of: chunk), state.manifest!.layout)
    }
    if let known = known ?? layout.folder?.knownLeafHashes(of: chunk) { return known }
    let hashes = try MerkleTree.leafHashes(of: chunk, in: layout) { offset, count, bytes throws(StoredFileError) in
      try read(at: offset, count: count, into: &bytes)
    }
    guard layout.chunkHash(hashes, of: chunk) == due else {
      throw .changed(path: "chunk \(chunk.rawValue)")  // the disk has lost it, or another program wrote to it
    }
    state.withLock { $0.held!.keep(hashes, of: chunk) }
    return hashes
  }

  /// Reads the offered leaves of a chunk again, and compares them with their hashes. Throws `changed` if they differ.
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

  /// The file has changed, so it is no longer offered. Returns false if that was known.
  func withdraw() -> Bool {
    state.withLock { state in
      defer { state.source = nil }
      return state.source != nil
    }
  }
}
