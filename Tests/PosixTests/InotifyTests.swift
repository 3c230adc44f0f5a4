// Events of folders. The kernel reports them before the call that caused them returns.
import Glibc
import Testing
import TestSupport

@testable import Posix

@Suite struct InotifyTests {
  private let folder = TemporaryFolder()

  private func path(_ name: String) -> String { folder.path + "/" + name }

  @Test func `events arrive in order, with both halves of a rename`() throws {
    let inotify = try Inotify()
    let directory = try Directory(folder.path)
    let watch = try inotify.watch(directory, [.created, .writerClosed, .movedFrom, .movedTo, .deleted])
    #expect(try inotify.watch(directory, [.created, .writerClosed, .movedFrom, .movedTo, .deleted]) == watch)
    #expect(try inotify.read() == [])
    _ = consume directory  // the watch needs no descriptor
    _ = try File(path("a"), [.readWrite, .createExclusive])
    rename(path("a"), path("b"))
    mkdir(path("c"), 0o700)
    unlink(path("b"))
    rmdir(path("c"))
    let events = try inotify.read()
    let expected: [(FolderChange, String)] = [
      (.created, "a"), (.writerClosed, "a"), (.movedFrom, "a"), (.movedTo, "b"), ([.created, .isFolder], "c"),
      (.deleted, "b"), ([.deleted, .isFolder], "c"),
    ]
    #expect(events.map(\.change) == expected.map(\.0))
    #expect(events.map { String(decoding: $0.name, as: UTF8.self) } == expected.map(\.1))
    #expect(events.allSatisfy { $0.watch == watch })
    #expect(events[2].cookie != 0 && events[2].cookie == events[3].cookie)
  }

  @Test func `a watch reports its end once`() throws {
    let inotify = try Inotify()
    mkdir(path("d"), 0o700)
    let watch = try inotify.watch(try Directory(path("d")), .created)
    inotify.end(watch)
    #expect(try inotify.read().map(\.change) == [.watchEnded])
    inotify.end(watch)
    #expect(try inotify.read() == [])
    rmdir(path("d"))
  }

  @Test func `an open file and folder know their current paths`() throws {
    let directory = try Directory(folder.path)
    let real = try directory.realPath()
    let file = try directory.open("x", [.readWrite, .createExclusive])
    #expect(try file.currentPath() == real + "/x")
    try directory.rename("x", to: "y")
    #expect(try file.currentPath() == real + "/y")
    try directory.remove("y")
    #expect(try file.currentPath() == real + "/y (deleted)")
  }
}
