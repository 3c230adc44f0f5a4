// A served folder over a real connection: its listing and its contents, leaf by leaf, also if a file is missing.
import Content
import Glibc
import Posix
import Storage
import TestSupport
import Testing

@testable import PeerNode
@testable import Wire

/// A folder with some samples, its expected listing, and a server of it.
final class ServedTree {
  static let files: [(path: String, bytes: [UInt8], mode: UInt32)] = [
    ("big/a", pattern((3 << 20) + 20_000, seed: 1), 0o644),
    ("big/b", pattern((1 << 20) + 1, seed: 2), 0o644),
    ("big/c", pattern(1 << 20, seed: 3), 0o600),
    ("empty", [], 0o644),
    ("run", pattern(100, seed: 4), 0o755),
    ("small/a", pattern(40_000, seed: 5), 0o644),
    ("small/b", pattern(16_384, seed: 6), 0o644),
    ("small/c", pattern(1, seed: 7), 0o644),
    ("small/deep/d", pattern(70_000, seed: 8), 0o644),
  ]

  let followed: Followed
  /// The layout of the served folder.
  let layout: FolderLayout
  private let contents: [UInt8]

  init() throws {
    let folder = TemporaryFolder()
    var entries = [
      FolderEntry(FolderPath("link"), .symbolicLink(target: FolderPath("small/a"))),
      FolderEntry(FolderPath("nothing"), .emptyFolder),
    ]
    for file in ServedTree.files {
      folder.write(file.path, file.bytes, mode: file.mode)
      let hash = Sample("x", bytes: file.bytes).file
      let content = FileContent(length: hash.length, root: hash.root)
      entries.append(
        FolderEntry(FolderPath(file.path), .file(content, isExecutable: file.mode & 0o100 != 0)))
    }
    symlink("small/a", folder("link"))
    mkdir(folder("nothing"), 0o755)
    let listing = try FolderListing(entries)
    layout = try FolderLayout(listing, root: Sample("x", bytes: listing.bytes).file.root)
    var contents: [UInt8] = []
    for run in layout.runs(at: 0, count: Int(listing.contentsLength)) {
      let path = listing.path(of: run.entry).description
      contents += ServedTree.files.first { $0.path == path }!.bytes[Int(run.offset)..<Int(run.offset) + run.count]
    }
    self.contents = contents
    followed = try Followed([], folder: folder)
  }

  /// Returns the bytes of a run of leaves of the contents.
  func bytes(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8] {
    let layout = ChunkLayout(layout)
    let start = Int(layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(contents[start..<start + layout.length(of: leaves, in: chunk)])
  }

  func dial() throws -> ScriptedPeer { try ScriptedPeer(dialling: followed.server.address) }
}

extension ScriptedPeer {
  /// Opens a content that the server has.
  fileprivate func offered(_ fileID: FileID, handle: FileHandle = ScriptedPeer.handle) throws -> OfferedFile {
    try send(openMessage(fileID, handle: handle))
    guard case .opened(let opened) = try answer().message, case .opened(let file) = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return file
  }

  /// Receives the next message that is not a hint.
  fileprivate func answer() throws -> (message: Message, leaves: [UInt8]) {
    while true {
      let next = try receive()
      switch next.message {
      case .peers, .promised, .have, .bitmap: continue
      default: return next
      }
    }
  }

  fileprivate func page(_ index: PageIndex, handle: FileHandle = ScriptedPeer.handle) throws -> HashPage {
    try send(.pageGet(PageGet(handle: handle, page: index.rawValue)))
    guard case .page(let page) = try answer().message else { throw SocketEnd.endOfStream }
    return HashPage(index: index, chunkHashes: page.chunkHashes, uncles: page.uncles)
  }

  /// Fetches all leaves of a chunk with their hashes.
  fileprivate func chunk(_ chunk: ChunkIndex, count: Int) throws -> (bytes: [UInt8], hashes: [Digest]) {
    try send(requestMessage(chunk.rawValue, count: count, hashes: true))
    var (bytes, hashes): ([UInt8], [Digest]) = ([], [])
    while true {
      let (message, leaves) = try answer()
      guard case .data(let header) = message else { throw SocketEnd.endOfStream }
      bytes += leaves
      hashes += header.leafHashes
      if header.isLast { return (bytes, hashes) }
    }
  }
}

@Suite struct FolderServingTests {
  @Test func `a folder and its subfolders have IDs that another program can compute`() throws {
    let tree = try ServedTree()
    let share = tree.followed.server.share
    #expect(share.folders.map(\.path) == ["./", "big/", "nothing/", "small/"])
    #expect(share.folders[0].folderID == tree.layout.folderID)
    #expect(share.folders[0].contentsID == tree.layout.contentsID)
    #expect(share.folders[3].contentsLength == 40_000 + 16_384 + 1 + 70_000)
  }

  @Test func `a peer gets the listing of a folder as a content of its own kind`() throws {
    let tree = try ServedTree()
    let peer = try tree.dial()
    let offered = try peer.offered(tree.layout.folderID)
    let bytes = tree.layout.listing.bytes
    #expect(offered.kind == ContentKind.folder.rawValue && offered.length == UInt64(bytes.count))
    #expect(offered.root == tree.layout.listingRoot && offered.availability == .complete)
    let chunks = ChunkLayout(fileLength: offered.length)!
    let page = try peer.page(PageIndex(0))
    try page.verify(against: offered.root, in: PageLayout(chunks))
    let (found, hashes) = try peer.chunk(ChunkIndex(0), count: chunks.leafCount(of: ChunkIndex(0)))
    #expect(found == bytes)
    _ = try LeafHashes(verifying: hashes, of: ChunkIndex(0), hash: page.chunkHashes[0], in: chunks)
  }

  @Test func `a peer gets all contents of a folder and can verify each leaf`() throws {
    let tree = try ServedTree()
    let peer = try tree.dial()
    let offered = try peer.offered(tree.layout.contentsID)
    #expect(offered.kind == ContentKind.folderContents.rawValue && offered.availability == .complete)
    #expect(offered.length == tree.layout.listing.contentsLength && offered.root == tree.layout.listingRoot)
    let chunks = ChunkLayout(tree.layout)
    let pages = PageLayout(chunks)
    var due: [ChunkIndex: Digest] = [:]
    for number in 0..<pages.pageCount {
      let page = try peer.page(PageIndex(UInt32(number)))
      try page.verify(against: offered.root, in: pages)
      for (chunk, hash) in zip(pages.chunks(of: page.index), page.chunkHashes) { due[ChunkIndex(UInt32(chunk))] = hash }
    }
    for number in 0..<chunks.chunkCount {
      let chunk = ChunkIndex(UInt32(number))
      let leaves = chunks.leaves(of: chunk)
      let (bytes, hashes) = try peer.chunk(chunk, count: leaves.count)
      #expect(bytes == tree.bytes(leaves, of: chunk))
      let hash = try #require(due[chunk] ?? tree.layout.knownHash(of: chunk))
      let verified = try LeafHashes(verifying: hashes, of: chunk, hash: hash, in: chunks)
      let isMatch = verified.match(bytes.span.bytes, at: leaves)
      #expect(isMatch)
    }
    let single = LeafRange(first: 2, count: 1)
    #expect(try peer.fetch(0, first: 2, count: 1) == tree.bytes(single, of: ChunkIndex(0)))
  }

  @Test func `if a file changes, the contents are withdrawn and offered again without it`() throws {
    let tree = try ServedTree()
    let peer = try tree.dial()
    _ = try peer.offered(tree.layout.contentsID)
    let chunks = ChunkLayout(tree.layout)
    let listing = tree.layout.listing
    let changed = (0..<listing.count).first { listing.path(of: $0) == FolderPath("small/a") }!
    tree.followed.folder.write("small/a", [1, 2, 3], at: 5)
    #expect(tree.followed.news.includes("- small/a"))
    let (chunk, mask) = tree.layout.places(ofFile: changed)[0]
    let others = LeafRun.runs(of: chunks.leaves(of: chunk).mask & ~mask, in: chunk)
    // Leaves that have not changed are still sent on the first handle.
    let other = try #require(others.first?.leaves)
    #expect(
      try peer.fetch(chunk.rawValue, first: other.first, count: other.count) == tree.bytes(other, of: chunk))
    try peer.send(peer.requestMessage(chunk.rawValue, count: chunks.leafCount(of: chunk)))
    let withdrawn = try peer.answer().message
    #expect(withdrawn == .withdrawn(Withdrawn(handle: ScriptedPeer.handle, reason: .changed)))

    let again = try tree.dial()
    let offered = try again.offered(tree.layout.contentsID)
    #expect(offered.availability == .partial)
    guard case .bitmap(let bitmap) = try again.receive().message, case .have(let have) = try again.receive().message
    else { throw SocketEnd.endOfStream }
    #expect((0..<bitmap.count).filter { !bitmap[$0] } == [Int(chunk.rawValue)] && bitmap.count == chunks.chunkCount)
    #expect(have.runs == others)
    let last = ChunkIndex(UInt32(chunks.chunkCount - 1))
    let leaves = chunks.leaves(of: last)
    #expect(try again.fetch(last.rawValue, count: leaves.count) == tree.bytes(leaves, of: last))
    // The hashes of the missing file still prove the other leaves of the chunk.
    try again.send(again.requestMessage(chunk.rawValue, first: other.first, count: other.count, hashes: true))
    guard case .data(let header) = try again.answer().message else { throw SocketEnd.endOfStream }
    let hash = try #require(tree.layout.knownHash(of: chunk))
    _ = try LeafHashes(verifying: header.leafHashes, of: chunk, hash: hash, in: chunks)
    let absent = try #require(LeafRun.runs(of: mask, in: chunk).first?.leaves)
    try again.send(again.requestMessage(chunk.rawValue, first: absent.first, count: 1))
    guard case .busy = try again.answer().message else { throw SocketEnd.endOfStream }
  }

  @Test func `if a large file is gone, its page still verifies the other files of the page`() throws {
    let tree = try ServedTree()
    unlink(tree.followed.folder("big/b"))
    #expect(tree.followed.news.includes("- big/b"))
    let peer = try tree.dial()
    let offered = try peer.offered(tree.layout.contentsID)
    #expect(offered.availability == .partial)
    let pages = PageLayout(ChunkLayout(tree.layout))
    for number in 0..<pages.pageCount {
      try peer.page(PageIndex(UInt32(number))).verify(against: offered.root, in: pages)
    }
  }

  @Test func `a file that moves within its folder stays in the contents`() throws {
    let tree = try ServedTree()
    tree.followed.move("small/a", "big/moved")
    #expect(tree.followed.news.includes("small/a > big/moved"))
    let peer = try tree.dial()
    #expect(try peer.offered(tree.layout.contentsID).availability == .complete)
    let leaves = LeafRange(first: 0, count: 3)
    #expect(try peer.fetch(0, count: 3) == tree.bytes(leaves, of: ChunkIndex(0)))
  }

  @Test func `a folder is found on the local network by the IDs of its listing and its contents`() throws {
    let tree = try ServedTree()
    for fileID in [tree.layout.folderID, tree.layout.contentsID] {
      let key = FileKey(fileID, swarm: nil)
      let keys = tree.followed.server.context.offered.keys(bucket: key.bucket, swarm: nil)
      #expect(keys.contains { $0.tag("x", []) == key.tag("x", []) })
    }
  }
}
