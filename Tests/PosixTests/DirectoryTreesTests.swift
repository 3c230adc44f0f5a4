// Calls that work below a folder. They make links but do not follow them, and replace nothing that must stay.
import Glibc
import TestSupport
import Testing

@testable import Posix

@Suite struct `Trees of folders` {
  let folder = TemporaryFolder()

  @Test func `a link has the target that it was made with`() throws {
    let directory = try Directory(folder.path)
    try directory.makeSymbolicLink("link", to: "not/there é")
    #expect(try directory.target(ofLink: "link") == Array("not/there é".utf8))
    #expect(try directory.status(of: "link").kind == .symbolicLink)
    let taken = #expect(throws: Errno.self) { try directory.makeSymbolicLink("link", to: "x") }
    #expect(taken?.code == EEXIST)
    folder.write("file", [1])
    let file = #expect(throws: Errno.self) { _ = try directory.target(ofLink: "file") }
    #expect(file?.code == EINVAL)
    for (name, target) in [("a\0b", "c"), ("d", "e\0f")] {
      #expect(throws: Errno.self) { try directory.makeSymbolicLink(name, to: target) }
    }
    #expect(folder.names == ["file", "link"])
  }

  @Test func `removing a folder removes only an empty folder and no link to one`() throws {
    let directory = try Directory(folder.path)
    folder.write("full/file", [1])
    mkdir(folder("empty"), 0o755)
    symlink("empty", folder("link"))
    #expect(#expect(throws: Errno.self) { try directory.removeDirectory("full") }?.code == ENOTEMPTY)
    #expect(#expect(throws: Errno.self) { try directory.removeDirectory("link") }?.code == ENOTDIR)
    try directory.removeDirectory("empty")
    #expect(folder.names == ["full", "link"])
  }

  @Test func `a name moves to another folder, and replaces one only on request`() throws {
    folder.write("from/one", [1])
    folder.write("from/two", [2])
    folder.write("to/one", [3])
    let (from, to) = (folder("from"), folder("to"))
    let source = try Directory(from)
    let destination = try Directory(to)
    let taken = #expect(throws: Errno.self) { try source.moveWithoutReplacing("one", to: "one", in: destination) }
    #expect(taken?.code == EEXIST && taken?.subject == folder("to/one"))
    try source.moveWithoutReplacing("two", to: "two", in: destination)
    try source.move("one", to: "one", in: destination)
    #expect(folder.read("to/one") == [1] && folder.read("to/two") == [2])
    try destination.syncFileSystem()
    #expect(try destination.nameByteCountMax() ?? 0 > 0)
  }

  @Test func `bytes are copied between offsets, and no further than the end of the file`() throws {
    folder.write("from", pattern(1_000))
    let from = try File(folder("from"), .read)
    let to = try File(folder("to"), [.readWrite, .createExclusive])
    #expect(try from.copyRange(at: 100, count: 2_000, to: to, at: 10) == 900)
    #expect(folder.read("to") == [UInt8](repeating: 0, count: 10) + pattern(1_000)[100...])
    #expect(throws: Errno.self) { _ = try from.copyRange(at: .max, count: 1, to: to, at: 0) }
  }

  @Test func `kernel versions are compared by their first two numbers`() {
    for release in ["5.8.0", "5.10-rc1", "6.1.0-18-amd64", "10.0"] {
      #expect(Kernel.isAtLeast(5, 8, release: release), "\(release)")
    }
    for release in ["5.7.99", "4.19.0", "3.10", "", "x", "5"] {
      #expect(!Kernel.isAtLeast(5, 8, release: release), "\(release)")
    }
  }
}
