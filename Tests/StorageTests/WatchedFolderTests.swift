// A folder that changes while it is served. The kernel reports a change before the call that made it returns, and the
// test controls the clock. So nothing waits.
import Content
import Glibc
import Posix
import Synchronization
import Testing
import TestSupport

@testable import Storage

/// A watched folder. The test runs the loop around it.
private final class Watched {
  let temporary = TemporaryFolder()
  let state = TemporaryFolder()
  let catalogue: Catalogue
  private(set) var folder: WatchedFolder!
  private(set) var log: [String] = []
  private let clock = Clock()

  private final class Clock { var now: Int64 = 0 }

  init(_ files: String...) throws {
    for file in files { temporary.write(file, pattern(100, seed: UInt64(file.utf8.count))) }
    let catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: state.path, now: later(10), bucketOf: { _ in 0 })
    self.catalogue = catalogue
    let clock = clock
    folder = try WatchedFolder(catalogue, now: { clock.now }) { [unowned self] news in
      switch news {
      case .withdraw(let entry, let reason):
        if catalogue.withdraw(entry) { log.append("- \(reason)".replacing(temporary.path + "/", with: "")) }
      case .replaced: break
      case .event(let event): note(event)
      }
    }
    turn()
    log = []
  }

  private func note(_ event: CatalogueEvent) {
    switch event {
    case .added(let entry): log.append("+ \(entry.path)")
    case .renamed(let entry, let old): log.append("\(old) > \(entry.path)")
    case .skipped(let skipped): log.append("! \(skipped)")
    case .warning(let text): log.append("warning: \(text)")
    case .progress, .hashingEnded, .listed, .unlisted, .leftOut: break
    }
  }

  /// Handles the events so far, `seconds` later, and hashes the files that are ready.
  func turn(afterSeconds seconds: Double = 0) {
    clock.now += Int64(seconds * 1e9)
    while folder.takeEvents() {}
    folder.settle()
    let files = folder.takeReady()
    let events = Events()
    catalogue.load(files, threads: 1, onEvent: events.add)
    for event in events.list {
      switch event {
      case .added(let entry):
        note(event)
        folder.hashed(entry.path, nil)
      case .skipped(let skipped): folder.hashed(skipped.path, skipped.reason)
      default: note(event)
      }
    }
    folder.batchEnded(wasStopped: false)
  }

  /// Returns the lines reported since the last call.
  func news(afterSeconds seconds: Double = 0) -> [String] {
    turn(afterSeconds: seconds)
    defer { log = [] }
    return log
  }

  var paths: [String] { catalogue.entries.map(\.path) }

  func move(_ old: String, _ new: String) { #expect(rename(temporary(old), temporary(new)) == 0) }

  /// Opens a file for writing. It stays open as long as the result lives.
  func openForWriting(_ name: String) throws -> File { try File(temporary(name), .write) }
}

private let changed = "changed since it was hashed; it is no longer served"
private let removed = "was removed or replaced since it was hashed; it is no longer served"

@Suite struct WatchedFolderTests {
  @Test func `a file that its writer closes is served at once`() throws {
    let watched = try Watched()
    watched.temporary.write("new", pattern(10))
    #expect(watched.news() == ["+ new"])
    #expect(watched.news(afterSeconds: 60) == [])
  }

  @Test func `a file that stays open is served after a second without a change`() throws {
    let watched = try Watched()
    let file = try File(watched.temporary("new"), [.write, .createExclusive])
    try file.write(pattern(3).span.bytes, at: 0)
    #expect(watched.news() == [])
    #expect(watched.news(afterSeconds: 0.9) == [])
    try file.write(pattern(1).span.bytes, at: 3)
    #expect(watched.news(afterSeconds: 0.9) == [])
    #expect(watched.folder.deadline != nil)
    _ = watched.news(afterSeconds: 1)
    _ = watched.news(afterSeconds: 1)
    #expect(watched.paths == ["new"] && watched.catalogue.entries[0].length == 4)
    #expect(watched.folder.unsettled.isEmpty, "nothing is left to look at")
  }

  @Test func `a file is withdrawn when it is written to, and served again when it is closed`() throws {
    let watched = try Watched("a")
    let old = watched.catalogue.entries[0].fileID
    do {
      let file = try watched.openForWriting("a")
      try file.write(pattern(1, seed: 7).span.bytes, at: 5)
      #expect(watched.news() == ["- a: \(changed)"])
      #expect(watched.paths == [])
    }
    watched.turn()
    #expect(watched.paths == ["a"] && watched.catalogue.entries[0].fileID != old)
  }

  @Test func `a file that is opened for writing and closed unchanged stays served`() throws {
    let watched = try Watched("a")
    _ = try watched.openForWriting("a")
    #expect(watched.news() == [])
  }

  @Test func `a renamed file keeps its fileID and is not hashed again`() throws {
    let watched = try Watched("a")
    let fileID = watched.catalogue.entries[0].fileID
    watched.move("a", "b")
    #expect(watched.news() == ["a > b"])
    #expect(watched.catalogue.entry(fileID)?.path == "b")
    // The next process also remembers it.
    let again = try Catalogue(
      folder: try ServedFolder(watched.temporary.path), stateFolder: watched.state.path, now: later(10),
      bucketOf: { _ in 0 })
    let events = Events()
    again.load(try FolderScan(again.folder).files, onEvent: events.add)
    #expect(events.hashedBytes == 0 && events.added == ["b"])
  }

  @Test func `a file that is read during its rename stays readable`() throws {
    let watched = try Watched("a")
    let entry = watched.catalogue.entries[0]
    let file = try watched.catalogue.open(entry)
    watched.move("a", "b")
    var bytes = [UInt8](repeating: 0, count: 100)
    var span = bytes.mutableSpan
    var buffer = span.mutableBytes
    try file.read(at: 0, into: &buffer)
    #expect(bytes == pattern(100))
    try watched.openForWriting("b").write(pattern(1, seed: 7).span.bytes, at: 0)
    var other = [UInt8](repeating: 0, count: 100)
    #expect(throws: StoredFileError.changed(path: "a")) {
      var span = other.mutableSpan
      var buffer = span.mutableBytes
      try file.read(at: 0, into: &buffer)
    }
  }

  @Test func `a file that replaces another one withdraws it`() throws {
    let watched = try Watched("a", "bb")
    let fileIDs = watched.catalogue.entries.map(\.fileID)
    watched.move("bb", "a")
    #expect(watched.news() == ["- a: \(removed)", "bb > a"])
    #expect(watched.catalogue.entries.map(\.fileID) == [fileIDs[1]])
  }

  @Test func `if two files swap their names, each is served under its new name`() throws {
    let watched = try Watched("a", "bb")
    let fileIDs = watched.catalogue.entries.map(\.fileID)
    watched.move("a", "x")
    watched.move("bb", "a")
    watched.move("x", "bb")
    watched.turn()
    #expect(watched.catalogue.entries.map(\.fileID) == fileIDs.reversed())
    #expect(watched.paths == ["a", "bb"])
  }

  @Test func `a file that is moved away or hidden is withdrawn, and a file that is moved in is served`() throws {
    let watched = try Watched("a", "bb")
    let outside = TemporaryFolder()
    #expect(rename(watched.temporary("a"), outside("a")) == 0)
    watched.move("bb", ".bb")
    #expect(watched.news() == ["- bb: \(removed)"])
    #expect(watched.news(afterSeconds: 0.2) == ["- a: \(removed)"])
    #expect(rename(outside("a"), watched.temporary("c")) == 0)
    watched.move(".bb", "d")
    watched.turn()
    #expect(watched.paths == ["c", "d"])
  }

  @Test func `a removed file is withdrawn and forgotten`() throws {
    let watched = try Watched("a")
    unlink(watched.temporary("a"))
    #expect(watched.news() == ["- a: \(removed)"])
    #expect(watched.folder.deadline == nil)
  }

  @Test func `a file that a FIFO or a link replaces is withdrawn`() throws {
    let watched = try Watched("a", "bb")
    for name in ["a", "bb"] { unlink(watched.temporary(name)) }
    mkfifo(watched.temporary("a"), 0o600)
    symlink("/etc/passwd", watched.temporary("bb"))
    watched.turn()
    #expect(watched.paths == [])
  }

  @Test func `new folders are watched at any depth, with the files that were there before the watch`() throws {
    let watched = try Watched()
    watched.temporary.write("x/y/z", pattern(1))
    watched.temporary.write("x/.hidden/z", pattern(1))
    #expect(watched.news() == [])
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["x/y/z"])
    watched.temporary.write("x/y/later", pattern(2))
    watched.temporary.write("x/.hidden/later", pattern(2))
    watched.turn()
    #expect(watched.paths == ["x/y/later", "x/y/z"])
  }

  @Test func `a renamed folder keeps its files and is watched under its new name`() throws {
    let watched = try Watched("x/y/a", "x/b", "xy/c")
    let fileIDs = watched.catalogue.entries.map(\.fileID)
    watched.move("x", "new")
    #expect(watched.news() == ["x/b > new/b", "x/y/a > new/y/a"])
    #expect(watched.catalogue.entries.map(\.fileID) == fileIDs)
    watched.temporary.write("new/y/d", pattern(7))
    watched.turn()
    #expect(watched.paths == ["new/b", "new/y/a", "new/y/d", "xy/c"])
  }

  @Test func `a folder that is moved away is no longer watched`() throws {
    let watched = try Watched("x/a", "xx")
    let outside = TemporaryFolder()
    #expect(rename(watched.temporary("x"), outside("x")) == 0)
    #expect(watched.news(afterSeconds: 0) == [])
    #expect(watched.news(afterSeconds: 0.2) == ["- x/a: \(removed)"])
    outside.write("x/b", pattern(1))
    #expect(watched.news(afterSeconds: 2) == [])
    #expect(watched.paths == ["xx"])
  }

  @Test func `a folder that is removed with its files is withdrawn`() throws {
    let watched = try Watched("x/y/a", "x/b")
    unlink(watched.temporary("x/y/a"))
    rmdir(watched.temporary("x/y"))
    unlink(watched.temporary("x/b"))
    rmdir(watched.temporary("x"))
    watched.turn()
    #expect(watched.paths == [])
    watched.temporary.write("x/b", pattern(3))
    watched.turn()
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["x/b"])
  }

  @Test func `after lost events all files are checked again`() throws {
    let watched = try Watched("a", "bb", "x/ccc")
    unlink(watched.temporary("a"))
    watched.temporary.write("bb", pattern(50))
    watched.temporary.write("y/new", pattern(8))
    while try watched.folder.watches!.read().count > 0 {}  // drop the events
    watched.folder.take(FolderEvent(watch: -1, change: .overflow, name: []))
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["bb", "x/ccc", "y/new"])
    #expect(watched.catalogue.entries[0].length == 100)  // overwritten, not truncated
    watched.temporary.write("y/more", pattern(8, seed: 9))
    watched.turn()
    #expect(watched.paths.contains("y/more"))
  }

  @Test func `without watches the folder is scanned every few seconds`() throws {
    let watched = try Watched("a")
    watched.folder.watches = nil
    watched.folder.cannotWatch(Errno(code: ENOSPC, call: "inotify_add_watch"))
    watched.folder.cannotWatch(Errno(code: ENOSPC, call: "inotify_add_watch"))
    let news = watched.news()
    #expect(news.count == 1 && news[0].contains("raise fs.inotify.max_user_watches"))
    watched.temporary.write("new", pattern(8))
    unlink(watched.temporary("a"))
    #expect(watched.news(afterSeconds: 9) == [])
    #expect(watched.news(afterSeconds: 1.1) == ["- a: \(removed)"])
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["new"])
  }

  @Test func `a file that changes while it is hashed is checked again`() throws {
    let watched = try Watched()
    watched.temporary.write("a", pattern(10))
    while watched.folder.takeEvents() {}
    #expect(watched.folder.takeReady().map(\.path) == ["a"])
    watched.move("a", "b")
    while watched.folder.takeEvents() {}
    watched.folder.hashed("a", .changed)
    watched.folder.batchEnded(wasStopped: false)
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["b"])
  }

  @Test func `a file whose name is not UTF-8 is reported`() throws {
    let watched = try Watched()
    let directory = try Directory(watched.temporary.path)
    let name: [CChar] = [CChar(bitPattern: 0xFF), 0]
    close(openat(directory.descriptor.number, name, O_CREAT | O_WRONLY, 0o600))
    #expect(watched.news() == ["! \u{FFFD}: its name is not UTF-8"])
  }

  @Test func `a file that changed before its watch began is checked on request`() throws {
    let watched = try Watched("a")
    let entry = watched.catalogue.entries[0]
    watched.catalogue.withdraw(entry)
    watched.folder.look(at: "a")
    watched.turn(afterSeconds: 1)
    #expect(watched.paths == ["a"])
  }
}
