// Calls on open folders. They never leave the folder, and replace a file only on request.
import Glibc
import Testing
import TestSupport

@testable import Posix

@Suite struct `Open folders` {
  let folder = TemporaryFolder()

  private func make(_ name: String, _ bytes: [UInt8] = []) throws {
    try File(folder(name), [.readWrite, .createExclusive]).write(bytes.span.bytes, at: 0)
  }

  @Test func `entries have kinds and any names, and can be read more than once`() throws {
    try make("file")
    try make("new\nline")
    mkdir(folder("folder"), 0o755)
    symlink("file", folder("link"))
    mkfifo(folder("fifo"), 0o600)
    var odd = Array(folder("").utf8.map { CChar(bitPattern: $0) }) + [CChar(bitPattern: 0xFF), 65, 0]
    close(open(&odd, O_CREAT | O_WRONLY, 0o600))
    let directory = try Directory(folder.path)
    for _ in 0..<2 {
      let entries = try directory.entries()
      #expect(entries.count == 6)
      let kinds = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.kind) })
      #expect(kinds[Array("file".utf8)] == .regular)
      #expect(kinds[Array("new\nline".utf8)] == .regular)
      #expect(kinds[Array("folder".utf8)] == .directory)
      #expect(kinds[Array("link".utf8)] == .symbolicLink)
      #expect(kinds[Array("fifo".utf8)] == .other)
      #expect(entries.filter { $0.text == nil }.map(\.name) == [[0xFF, 65]])
    }
  }

  @Test func `no path opened beneath a folder leads outside it`() throws {
    try make("secret")
    mkdir(folder("served"), 0o755)
    mkdir(folder("served/inner"), 0o755)
    try make("served/inner/file", pattern(3))
    symlink("../secret", folder("served/link"))
    symlink("inner", folder("served/way"))
    symlink("/proc/self/fd/0", folder("served/magic"))
    let served = try Directory(folder("served"))
    #expect(try served.open(beneath: "inner/file", .read).status().size == 3)
    let codes = [
      "../secret": EXDEV, "inner/../../secret": EXDEV, folder("secret"): EXDEV, "link": ELOOP, "way/file": ELOOP,
      "magic": ELOOP, "none": ENOENT, "inner/file/more": ENOTDIR,
    ]
    for (path, code) in codes {
      let error = #expect(throws: Errno.self) { _ = try served.open(beneath: path, .read) }
      #expect(error?.code == code, "\(path)")
      #expect(error?.call == "openat2")
    }
  }

  @Test func `without openat2 the same paths are opened and the same are refused`() throws {
    try make("secret")
    mkdir(folder("served"), 0o755)
    mkdir(folder("served/inner"), 0o755)
    mkdir(folder("served/inner/deep"), 0o755)
    try make("served/inner/deep/file", pattern(3))
    symlink("inner", folder("served/alias"))
    symlink("../secret", folder("served/out"))
    let served = try Directory(folder("served"))
    for path in ["inner/deep/file", "./inner/./deep//file", ".", "inner", "inner/deep"] {
      let known = try served.open(beneath: path, .read).status()
      let walked = File(owning: try served.walkBeneath(path, O_RDONLY), path: path)
      #expect(try walked.status().identity == known.identity, "\(path)")
    }
    for path in ["../secret", "/etc", folder("served"), "alias/deep", "alias", "out", "missing"] {
      let known = #expect(throws: Errno.self) { _ = try served.open(beneath: path, .read) }
      let walked = #expect(throws: Errno.self) { _ = try served.walkBeneath(path, O_RDONLY) }
      #expect(walked?.code == known?.code, "\(path)")
    }
    let link = #expect(throws: Errno.self) { _ = try served.walkBeneath("alias", O_RDONLY | O_DIRECTORY) }
    #expect(link?.code == ELOOP)
  }

  @Test func `opening a FIFO beneath a folder does not wait for a writer`() throws {
    mkfifo(folder("fifo"), 0o600)
    let file = try Directory(folder.path).open(beneath: "fifo", [.read, .nonBlocking])
    #expect(try file.status().kind == .other)
  }

  @Test func `only rename replaces a name that exists`() throws {
    try make("old", pattern(1))
    try make("new", pattern(2))
    let directory = try Directory(folder.path)
    let error = #expect(throws: Errno.self) { try directory.renameWithoutReplacing("old", to: "new") }
    #expect(error == Errno(code: EEXIST, call: "renameat2", subject: folder("new")))
    #expect(throws: Errno.self) { try directory.link("old", as: "new") }
    #expect(try directory.status(of: "new").size == 2)
    try directory.rename("old", to: "new")
    #expect(try directory.status(of: "new").size == 1)
    try directory.renameWithoutReplacing("new", to: "newer")
    try directory.link("newer", as: "second")
    #expect(try directory.status(of: "second").linkCount == 2)
    try directory.remove("newer")
    try directory.remove("second")
    #expect(try directory.entries().isEmpty)
    try directory.sync()
  }

  @Test func `folders are made and opened inside one another`() throws {
    let directory = try Directory(folder.path)
    try directory.makeDirectory("a", mode: 0o700)
    try Directory.make(folder("a/b"), mode: 0o750)
    #expect(try directory.openDirectory(beneath: "a/b").path == folder("a/b"))
    #expect(try directory.status(of: "a").mode == 0o700)
    #expect(throws: Errno.self) { try directory.makeDirectory("a", mode: 0o700) }
    #expect(throws: Errno.self) { _ = try directory.openDirectory(beneath: "..") }
    #expect(throws: Errno.self) { _ = try Directory(folder("none")) }
  }

  @Test func `an open folder stays the same folder when its path is renamed`() throws {
    mkdir(folder("one"), 0o755)
    let directory = try Directory(folder("one"))
    rename(folder("one"), folder("two"))
    mkdir(folder("one"), 0o755)
    _ = try directory.open("file", [.readWrite, .createExclusive])
    #expect(access(folder("two/file"), F_OK) == 0)
    #expect(try directory.status().kind == .directory)
  }
}

@Suite struct `Surroundings` {
  @Test func `an environment variable that is unset or empty is nil`() {
    #expect(Environment.variable("P2PNODE_SURELY_NOT_SET") == nil)
    #expect(Environment.variable("PATH") != nil)
  }

  @Test func `the home folder is an absolute path`() throws {
    #expect(try #require(Environment.homeFolder).utf8.first == UInt8(ascii: "/"))
  }

  @Test func `the umask is read without changing it`() throws {
    let folder = TemporaryFolder()
    for _ in 0..<2 {
      let mask = Environment.fileModeMask
      let file = try File(folder("of mode \(mask)"), [.readWrite, .createExclusive], mode: 0o777)
      #expect(try file.status().mode == 0o777 & ~mask)
      unlink(folder("of mode \(mask)"))
    }
  }

  @Test func `wiping leaves zeros`() {
    var bytes = pattern(40)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    wipe(&raw)
    #expect(bytes == [UInt8](repeating: 0, count: 40))
  }
}
