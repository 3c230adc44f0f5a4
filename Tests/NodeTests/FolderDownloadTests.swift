// Downloads of folders: either the complete tree gets its name, or nothing does.
import Content
import Glibc
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

extension ServedTree {
  fileprivate var folderID: FileID { layout.folderID }
  fileprivate var source: PeerSource {
    PeerSource(host: HostPort(host: "127.0.0.1", port: followed.server.address.port))
  }

  /// Returns the paths at which a copy differs from the tree.
  fileprivate func differences(in copies: TemporaryFolder, _ name: String) -> [String] {
    var differences: [String] = []
    for file in ServedTree.files {
      if copies.read("\(name)/\(file.path)") != file.bytes { differences.append(file.path) }
      var raw = stat()
      lstat(copies("\(name)/\(file.path)"), &raw)
      if (raw.st_mode & 0o100 != 0) != (file.mode & 0o100 != 0) { differences.append("mode of \(file.path)") }
    }
    var target = [CChar](repeating: 0, count: 100)
    readlink(copies("\(name)/link"), &target, 99)
    if String(decoding: target.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self) != "small/a" {
      differences.append("link")
    }
    var raw = stat()
    if lstat(copies("\(name)/nothing"), &raw) != 0 || raw.st_mode & S_IFMT != S_IFDIR { differences.append("nothing") }
    return differences
  }
}

@Suite struct FolderDownloadTests {
  private func download(
    _ tree: ServedTree, by getter: TestNode, into copies: TemporaryFolder, as name: String? = "copy",
    listings: ListingCache? = nil
  ) -> Download {
    var target = DownloadTarget(folder: copies.path, name: name)
    target.listings = listings
    return getter.node.download(tree.folderID, from: [tree.source], to: target)
  }

  @Test func `a folder arrives complete, and no other file is left behind`() throws {
    let tree = try ServedTree()
    let copies = TemporaryFolder()
    let getter = try TestNode(listens: false)
    let result = try download(tree, by: getter, into: copies).wait()
    withExtendedLifetime(getter) {}
    #expect(result.kind == .folderContents && result.name == "copy" && result.path == copies("copy"))
    #expect(result.stats.bytes == tree.layout.listing.contentsLength)
    #expect(tree.differences(in: copies, "copy") == [])
    #expect(copies.names == ["copy"])
  }

  @Test func `a folder has the name that its source suggests, also if its listing is at hand`() throws {
    let tree = try ServedTree()
    let cache = ListingCache(TemporaryFolder().path)
    var names: [String] = []
    for _ in 1...2 {
      let copies = TemporaryFolder()
      let getter = try TestNode(listens: false)
      let result = try download(tree, by: getter, into: copies, as: nil, listings: cache).wait()
      names.append(result.name)
      #expect(copies.names == [result.name] && tree.differences(in: copies, result.name) == [])
    }
    #expect(names[0] == names[1] && names[0] == PathParts(tree.followed.folder.path).name)
  }

  @Test func `an existing output stays as it is`() throws {
    let tree = try ServedTree()
    let copies = TemporaryFolder()
    copies.write("copy/mine", [1])
    let getter = try TestNode(listens: false)
    let outcome = download(tree, by: getter, into: copies).outcome
    withExtendedLifetime(getter) {}
    guard case .failure(.storage(.update(let fault))) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(fault == .otherVersion(folder: copies("copy"), path: "mine", .unlisted))
    #expect(copies.read("copy/mine") == [1] && copies.names == ["copy"])
  }

  @Test func `a folder without file bytes needs no contents`() throws {
    let listing = try ListingSample([
      FolderEntry(FolderPath("a/none"), .file(FileContent(length: 0, root: .zero), isExecutable: true)),
      FolderEntry(FolderPath("b"), .emptyFolder),
      FolderEntry(FolderPath("c"), .symbolicLink(target: FolderPath("a/none"))),
    ])
    let source = try FakeSource(SourceScript(listing))
    defer { source.stop() }
    let copies = TemporaryFolder()
    let getter = try TestNode(listens: false)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let result = try getter.node.download(
      listing.fileID, from: [peer], to: DownloadTarget(folder: copies.path)
    ).wait()
    #expect(result.name == "folder" && copies.names == ["folder"] && copies.read("folder/a/none") == [])
    var raw = stat()
    #expect(lstat(copies("folder/c"), &raw) == 0 && raw.st_mode & S_IFMT == S_IFLNK)
    #expect(stat(copies("folder/b"), &raw) == 0 && raw.st_mode & S_IFMT == S_IFDIR)
  }

  @Test func `a listing that breaks a rule is blamed on its author, and nothing is made`() throws {
    let link = FolderEntry(FolderPath("a"), .symbolicLink(target: FolderPath("../b")))
    var bytes = Array("p2pnode-folder-v1".utf8) + [0, 0, 0, 1, 2, 0, 1, UInt8(ascii: "a"), 0, 4]
    bytes += Array("../b".utf8)
    #expect(throws: FolderListingFault.self) { try FolderListing([link]) }
    let listing = ListingSample(bytes: bytes)
    let source = try FakeSource(SourceScript(listing))
    defer { source.stop() }
    let copies = TemporaryFolder()
    let getter = try TestNode(listens: false)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let download = getter.node.download(listing.fileID, from: [peer], to: DownloadTarget(folder: copies.path))
    guard case .failure(.badListing(let fault)) = download.outcome else {
      Issue.record("\(download.outcome)")
      return
    }
    #expect(fault.rule == .targetOutside && copies.names == [])
  }

  @Test func `a folder is streamed as a tar archive`() throws {
    let tree = try ServedTree()
    let copies = TemporaryFolder()
    let archive = copies("archive.tar")
    let output = open(archive, O_WRONLY | O_CREAT, 0o644)
    defer { close(output) }
    let getter = try TestNode(listens: false)
    let result = try getter.node.download(tree.folderID, from: [tree.source], to: .stream(to: output)).wait()
    #expect(result.path == nil && result.kind == .folderContents)
    mkdir(copies("copy"), 0o755)
    #expect(system("tar xf '\(archive)' -C '\(copies("copy"))'") == 0)
    #expect(tree.differences(in: copies, "copy") == [])
  }

  /// Downloads a part of a tree as a tar archive and unpacks it.
  private func archive(
    of tree: ServedTree, _ rules: [FolderFilter.Rule], in copies: TemporaryFolder
  ) throws -> DownloadResult {
    let output = open(copies("archive.tar"), O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    defer { close(output) }
    let getter = try TestNode(listens: false)
    var options = FolderOptions()
    options.filter = FolderFilter(rules)
    let result = try getter.node.download(
      tree.folderID, from: [tree.source], to: .stream(to: output), folder: options
    ).wait()
    mkdir(copies("copy"), 0o755)
    #expect(system("tar xf '\(copies("archive.tar"))' -C '\(copies("copy"))'") == 0)
    return result
  }

  @Test func `a part of a folder is streamed without the rest`() throws {
    let tree = try ServedTree()
    let copies = TemporaryFolder()
    // Leave out files in the middle and at the end of a shared chunk, and two of the large files.
    let left = ["big/a", "big/c", "small/a", "small/deep/d"]
    let result = try archive(of: tree, left.map { .init(excluding: PathPattern($0)!) }, in: copies)
    let rest = ServedTree.files.filter { !left.contains($0.path) }
    #expect(tree.differences(in: copies, "copy").filter { !$0.hasPrefix("mode of ") } == left)
    #expect(result.stats.bytes == rest.reduce(0) { $0 + UInt64($1.bytes.count) })
    #expect(result.stats.totalChunks == 3, "one that is shared, and two of big/b")
  }

  @Test func `entries without bytes are streamed without the contents of any peer`() throws {
    let tree = try ServedTree()
    let copies = TemporaryFolder()
    let names = ["empty", "link", "nothing"]
    let result = try archive(of: tree, names.map { .init(including: PathPattern($0)!) }, in: copies)
    #expect(result.stats.bytes == 0 && result.path == nil)
    let found = try Directory(copies("copy")).entries().compactMap(\.text).sorted()
    #expect(found == names)
    #expect(copies.read("copy/empty") == [])
    let missing = tree.differences(in: copies, "copy")
    #expect(!missing.contains("link") && !missing.contains("nothing"))
  }

  // MARK: Updated peers

  /// A node updates an output and keeps serving. Another node then fetches the folder from it alone.
  private func relay(
    _ tree: ServedTree, through output: TemporaryFolder, filter: FolderFilter = FolderFilter()
  ) throws -> (updated: DownloadStats, copied: DownloadStats, differences: [String]) {
    let relay = try TestNode()
    var options = FolderOptions()
    (options.updates, options.filter) = (true, filter)
    let update = relay.node.download(
      tree.folderID, from: [tree.source], to: DownloadTarget(folder: output.path, name: "copy"), stay: .untilCancelled,
      folder: options)
    let watchdog = Watchdog(seconds: 60) { update.cancel() }
    defer { withExtendedLifetime(watchdog) {} }
    while let news = update.queue.take() { if case .staying = news { break } }
    tree.followed.server.shutDown(grace: .zero)
    let copies = TemporaryFolder()
    let getter = try TestNode(listens: false)
    let copied = try getter.node.download(
      tree.folderID, from: [relay.source], to: DownloadTarget(folder: copies.path, name: "copy")
    ).wait()
    update.cancel()
    return (try update.wait().stats, copied.stats, tree.differences(in: copies, "copy"))
  }

  /// Returns an output with all files of the tree except some.
  private func output(without missing: Set<String>) -> TemporaryFolder {
    let output = TemporaryFolder()
    for file in ServedTree.files where !missing.contains(file.path) {
      output.write("copy/\(file.path)", file.bytes, mode: file.mode)
    }
    return output
  }

  @Test func `a peer whose update fetched nothing offers all its files`() throws {
    let tree = try ServedTree()
    let (updated, copied, differences) = try relay(tree, through: output(without: []))
    #expect(updated.bytes == 0 && copied.bytes == tree.layout.listing.contentsLength && differences == [])
  }

  @Test func `a peer whose update fetched one file offers all its files`() throws {
    for path in ["small/c", "big/b"] {
      let tree = try ServedTree()
      let (updated, copied, differences) = try relay(tree, through: output(without: [path]))
      #expect(Int(updated.bytes) == ServedTree.files.first { $0.path == path }!.bytes.count)
      #expect(copied.bytes == tree.layout.listing.contentsLength && differences == [], "without \(path)")
    }
  }

  @Test func `unwanted files are not made, although some of their bytes arrive in a gap`() throws {
    let tree = try ServedTree()
    var options = FolderOptions()
    options.filter = FolderFilter([.init(including: PathPattern("small")!), .init(excluding: PathPattern("small/b")!)])
    let copies = TemporaryFolder()
    let getter = try TestNode(listens: false)
    let result = try getter.node.download(
      tree.folderID, from: [tree.source], to: DownloadTarget(folder: copies.path, name: "copy"), folder: options
    ).wait()
    withExtendedLifetime(getter) {}
    #expect(result.stats.bytes == 110_001 && result.stats.gapBytes == 16_384 && result.stats.duplicateBytes == 0)
    for file in ServedTree.files {
      let isWanted = file.path.hasPrefix("small/") && file.path != "small/b"
      #expect(copies.read("copy/\(file.path)") == (isWanted ? file.bytes : nil), "\(file.path)")
    }
  }
}
