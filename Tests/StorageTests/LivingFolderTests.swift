// A folder that changes while it is served. The kernel tells of a change before the call that made it returns, and the
// clock is the test's own: nothing waits.
import Content
import Glibc
import Posix
import Synchronization
import Testing
import TestSupport

@testable import Storage

/// A living folder, and the loop around it as the test turns it.
private final class Living {
  let temporary = TemporaryFolder()
  let state = TemporaryFolder()
  let catalogue: Catalogue
  private(set) var folder: LivingFolder!
  private(set) var log: [String] = []
  private let clock = Clock()

  private final class Clock { var now: Int64 = 0 }

  init(_ files: String...) throws {
    for file in files { temporary.write(file, pattern(100, seed: UInt64(file.utf8.count))) }
    let catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: state.path, bucketOf: { _ in 0 })
    self.catalogue = catalogue
    let clock = clock
    folder = try LivingFolder(catalogue, now: { clock.now }) { [unowned self] news in
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
    case .progress: break
    }
  }

  /// Takes in what happened, `seconds` later, and hashes what is ready.
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

  /// What was told since the last time.
  func news(afterSeconds seconds: Double = 0) -> [String] {
    turn(afterSeconds: seconds)
    defer { log = [] }
    return log
  }

  var paths: [String] { catalogue.entries.map(\.path) }

  func move(_ old: String, _ new: String) { #expect(rename(temporary(old), temporary(new)) == 0) }

  /// Writes without closing, for as long as the result lives.
  func openForWriting(_ name: String) throws -> File { try File(temporary(name), .write) }
}

private let changed = "changed since it was hashed; it is no longer served"
private let removed = "was removed or replaced since it was hashed; it is no longer served"

@Suite struct LivingFolderTests {
  @Test func `a file that was closed is served at once`() throws {
    let living = try Living()
    living.temporary.write("new", pattern(10))
    #expect(living.news() == ["+ new"])
    #expect(living.news(afterSeconds: 60) == [])
  }

  @Test func `a file that nobody closes is served when it was quiet for a second`() throws {
    let living = try Living()
    let file = try File(living.temporary("new"), [.write, .createExclusive])
    try file.write(pattern(3).span.bytes, at: 0)
    #expect(living.news() == [])
    #expect(living.news(afterSeconds: 0.9) == [])
    try file.write(pattern(1).span.bytes, at: 3)
    #expect(living.news(afterSeconds: 0.9) == [])
    #expect(living.folder.deadline != nil)
    _ = living.news(afterSeconds: 1)
    _ = living.news(afterSeconds: 1)
    #expect(living.paths == ["new"] && living.catalogue.entries[0].length == 4)
    #expect(living.folder.deadline == nil, "nothing is left to look at")
  }

  @Test func `a file that is written to is withdrawn at once, and served again when it is closed`() throws {
    let living = try Living("a")
    let old = living.catalogue.entries[0].fileID
    do {
      let file = try living.openForWriting("a")
      try file.write(pattern(1, seed: 7).span.bytes, at: 5)
      #expect(living.news() == ["- a: \(changed)"])
      #expect(living.paths == [])
    }
    living.turn()
    #expect(living.paths == ["a"] && living.catalogue.entries[0].fileID != old)
  }

  @Test func `a file that is opened for writing and closed as it was stays served`() throws {
    let living = try Living("a")
    _ = try living.openForWriting("a")
    #expect(living.news() == [])
  }

  @Test func `a renamed file keeps its fileID and is not hashed`() throws {
    let living = try Living("a")
    let fileID = living.catalogue.entries[0].fileID
    living.move("a", "b")
    #expect(living.news() == ["a > b"])
    #expect(living.catalogue.entry(fileID)?.path == "b")
    // Also next time.
    let again = try Catalogue(
      folder: try ServedFolder(living.temporary.path), stateFolder: living.state.path, bucketOf: { _ in 0 })
    let events = Events()
    again.load(try FolderScan(again.folder).files, onEvent: events.add)
    #expect(events.hashedBytes == 0 && events.added == ["b"])
  }

  @Test func `a file that is read while it is renamed stays readable`() throws {
    let living = try Living("a")
    let entry = living.catalogue.entries[0]
    let file = try living.catalogue.open(entry)
    living.move("a", "b")
    var bytes = [UInt8](repeating: 0, count: 100)
    var span = bytes.mutableSpan
    var buffer = span.mutableBytes
    try file.read(at: 0, into: &buffer)
    #expect(bytes == pattern(100))
    try living.openForWriting("b").write(pattern(1, seed: 7).span.bytes, at: 0)
    var other = [UInt8](repeating: 0, count: 100)
    #expect(throws: StoredFileError.changed(path: "a")) {
      var span = other.mutableSpan
      var buffer = span.mutableBytes
      try file.read(at: 0, into: &buffer)
    }
  }

  @Test func `a file that is put in the place of another withdraws that`() throws {
    let living = try Living("a", "bb")
    let fileIDs = living.catalogue.entries.map(\.fileID)
    living.move("bb", "a")
    #expect(living.news() == ["- a: \(removed)", "bb > a"])
    #expect(living.catalogue.entries.map(\.fileID) == [fileIDs[1]])
  }

  @Test func `two files that swap their names are both served under the other's`() throws {
    let living = try Living("a", "bb")
    let fileIDs = living.catalogue.entries.map(\.fileID)
    living.move("a", "x")
    living.move("bb", "a")
    living.move("x", "bb")
    living.turn()
    #expect(living.catalogue.entries.map(\.fileID) == fileIDs.reversed())
    #expect(living.paths == ["a", "bb"])
  }

  @Test func `a file that is moved away or hidden is withdrawn, and one that comes is served`() throws {
    let living = try Living("a", "bb")
    let outside = TemporaryFolder()
    #expect(rename(living.temporary("a"), outside("a")) == 0)
    living.move("bb", ".bb")
    #expect(living.news() == ["- bb: \(removed)"])
    #expect(living.news(afterSeconds: 0.2) == ["- a: \(removed)"])
    #expect(rename(outside("a"), living.temporary("c")) == 0)
    living.move(".bb", "d")
    living.turn()
    #expect(living.paths == ["c", "d"])
  }

  @Test func `a removed file is withdrawn, and forgotten`() throws {
    let living = try Living("a")
    unlink(living.temporary("a"))
    #expect(living.news() == ["- a: \(removed)"])
    #expect(living.folder.deadline == nil)
  }

  @Test func `a file that turns into something else is withdrawn`() throws {
    let living = try Living("a", "bb")
    for name in ["a", "bb"] { unlink(living.temporary(name)) }
    mkfifo(living.temporary("a"), 0o600)
    symlink("/etc/passwd", living.temporary("bb"))
    living.turn()
    #expect(living.paths == [])
  }

  @Test func `new folders are followed, however deep, with what came into them before they were watched`() throws {
    let living = try Living()
    living.temporary.write("x/y/z", pattern(1))
    living.temporary.write("x/.hidden/z", pattern(1))
    #expect(living.news() == [])
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["x/y/z"])
    living.temporary.write("x/y/later", pattern(2))
    living.temporary.write("x/.hidden/later", pattern(2))
    living.turn()
    #expect(living.paths == ["x/y/later", "x/y/z"])
  }

  @Test func `a renamed folder takes its files with it, and is followed under its new name`() throws {
    let living = try Living("x/y/a", "x/b", "xy/c")
    let fileIDs = living.catalogue.entries.map(\.fileID)
    living.move("x", "new")
    #expect(living.news() == ["x/b > new/b", "x/y/a > new/y/a"])
    #expect(living.catalogue.entries.map(\.fileID) == fileIDs)
    living.temporary.write("new/y/d", pattern(7))
    living.turn()
    #expect(living.paths == ["new/b", "new/y/a", "new/y/d", "xy/c"])
  }

  @Test func `a folder that is moved away is no longer followed`() throws {
    let living = try Living("x/a", "xx")
    let outside = TemporaryFolder()
    #expect(rename(living.temporary("x"), outside("x")) == 0)
    #expect(living.news(afterSeconds: 0) == [])
    #expect(living.news(afterSeconds: 0.2) == ["- x/a: \(removed)"])
    outside.write("x/b", pattern(1))
    #expect(living.news(afterSeconds: 2) == [])
    #expect(living.paths == ["xx"])
  }

  @Test func `a folder that is removed with all that is in it is withdrawn`() throws {
    let living = try Living("x/y/a", "x/b")
    unlink(living.temporary("x/y/a"))
    rmdir(living.temporary("x/y"))
    unlink(living.temporary("x/b"))
    rmdir(living.temporary("x"))
    living.turn()
    #expect(living.paths == [])
    living.temporary.write("x/b", pattern(3))
    living.turn()
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["x/b"])
  }

  @Test func `after lost events everything is looked at again`() throws {
    let living = try Living("a", "bb", "x/ccc")
    unlink(living.temporary("a"))
    living.temporary.write("bb", pattern(50))
    living.temporary.write("y/new", pattern(8))
    while try living.folder.watched!.read().count > 0 {}  // lost
    living.folder.take(FolderEvent(watch: -1, change: .overflow, name: []))
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["bb", "x/ccc", "y/new"])
    #expect(living.catalogue.entries[0].length == 100)  // written over, not cut
    living.temporary.write("y/more", pattern(8, seed: 9))
    living.turn()
    #expect(living.paths.contains("y/more"))
  }

  @Test func `without watches the folder is looked through every few seconds`() throws {
    let living = try Living("a")
    living.folder.watched = nil
    living.folder.cannotWatch(Errno(code: ENOSPC, call: "inotify_add_watch"))
    living.folder.cannotWatch(Errno(code: ENOSPC, call: "inotify_add_watch"))
    let news = living.news()
    #expect(news.count == 1 && news[0].contains("raise fs.inotify.max_user_watches"))
    living.temporary.write("new", pattern(8))
    unlink(living.temporary("a"))
    #expect(living.news(afterSeconds: 9) == [])
    #expect(living.news(afterSeconds: 1.1) == ["- a: \(removed)"])
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["new"])
  }

  @Test func `a file that changes while it is hashed is looked at again`() throws {
    let living = try Living()
    living.temporary.write("a", pattern(10))
    while living.folder.takeEvents() {}
    #expect(living.folder.takeReady().map(\.path) == ["a"])
    living.move("a", "b")
    while living.folder.takeEvents() {}
    living.folder.hashed("a", .changed)
    living.folder.batchEnded(wasStopped: false)
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["b"])
  }

  @Test func `what cannot be named is mentioned`() throws {
    let living = try Living()
    let directory = try Directory(living.temporary.path)
    let name: [CChar] = [CChar(bitPattern: 0xFF), 0]
    close(openat(directory.descriptor.number, name, O_CREAT | O_WRONLY, 0o600))
    #expect(living.news() == ["! \u{FFFD}: its name is not UTF-8"])
  }

  @Test func `an entry of a file that changed before it was followed is looked at on request`() throws {
    let living = try Living("a")
    let entry = living.catalogue.entries[0]
    living.catalogue.withdraw(entry)
    living.folder.look(at: "a")
    living.turn(afterSeconds: 1)
    #expect(living.paths == ["a"])
  }
}
