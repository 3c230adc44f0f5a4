// A part folder beside hostile programs: nothing outside it is read, written, made or removed.
import Content
import Glibc
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite struct `A part folder under attack` {
  let temporary = TemporaryFolder()

  private func make(_ sample: SampleFolder) throws -> FolderPart {
    try FolderPart(inFolder: temporary.path, layout: sample.layout)
  }

  @Test func `a download does not write to a part folder that p2pnode did not make`() throws {
    let sample = try SampleFolder(["a/b": .file([1]), "c": .link("a")])
    let name = FolderPart.name(of: sample.layout.folderID)
    mkdir(temporary("outside"), 0o700)
    func expectForeign(_ at: String, _ what: String) {
      #expect(throws: PartFileError.foreign(path: temporary(at), what: what)) { try make(sample) }
    }
    symlink("outside", temporary(name))
    expectForeign(name, "a symbolic link")
    unlink(temporary(name))
    mkfifo(temporary(name), 0o700)
    expectForeign(name, "not a folder")
    unlink(temporary(name))
    mkdir(temporary(name), 0o755)
    chmod(temporary(name), 0o755)
    expectForeign(name, "a folder that other users may enter")
    chmod(temporary(name), 0o700)
    symlink("../outside", temporary(name + "/tree"))
    expectForeign(name + "/tree", "a symbolic link")
    unlink(temporary(name + "/tree"))
    mkfifo(temporary(name + "/tree"), 0o700)
    expectForeign(name + "/tree", "not a folder")
    unlink(temporary(name + "/tree"))
    mkdir(temporary(name + "/tree"), 0o700)
    symlink("../../outside", temporary(name + "/tree/a"))
    expectForeign(name + "/tree/a", "not a folder")
    unlink(temporary(name + "/tree/a"))
    mkdir(temporary(name + "/tree/a"), 0o700)
    temporary.write("victim", [7])
    for (what, make) in [
      ("not a regular file", { symlink("../../../victim", temporary(name + "/tree/a/b")) }),
      ("a file with another hard link", { link(temporary("victim"), temporary(name + "/tree/a/b")) }),
      ("not a regular file", { mkfifo(temporary(name + "/tree/a/b"), 0o600) }),
    ] {
      _ = make()
      expectForeign(name + "/tree/a/b", what)
      unlink(temporary(name + "/tree/a/b"))
    }
    temporary.write(name + "/tree/c", [1])
    expectForeign(name + "/tree/c", "not of this download")
    unlink(temporary(name + "/tree/c"))
    unlink(temporary(name + "/listing"))
    symlink("../victim", temporary(name + "/listing"))
    expectForeign(name + "/listing", "a symbolic link")
    unlink(temporary(name + "/listing"))
    unlink(temporary(name + "/lock"))
    symlink("../victim", temporary(name + "/lock"))
    expectForeign(name + "/lock", "a symbolic link")
    unlink(temporary(name + "/lock"))
    #expect(temporary.read("victim") == [7] && SampleFolder.items(below: temporary("outside")).isEmpty)
    try make(sample).discard()
  }

  @Test func `a download does not write to a file that another program puts in its way`() throws {
    let sample = try SampleFolder(["a": .file(pattern(100)), "b": .file(pattern(100)), "c": .file(pattern(40_000))])
    let name = FolderPart.name(of: sample.layout.folderID)
    let part = try make(sample)
    temporary.write("victim", [7])
    symlink("../../victim", temporary(name + "/tree/a"))
    #expect(throws: PartFileError.foreign(path: temporary(name + "/tree/a"), what: "not of this download")) {
      try part.write(pattern(100), at: 0)
    }
    try part.write(pattern(100), at: 100)
    unlink(temporary(name + "/tree/b"))
    link(temporary("victim"), temporary(name + "/tree/b"))
    #expect(throws: PartFileError.foreign(path: temporary(name + "/tree/b"), what: "a file with another hard link")) {
      try part.write(pattern(100), at: 100)
    }
    #expect(temporary.read("victim") == [7])
  }

  @Test func `a download ends with both names if the file system takes two files for one`() throws {
    let sample = try SampleFolder(["A": .file([1]), "a": .file([2])])
    let name = FolderPart.name(of: sample.layout.folderID)
    let part = try make(sample)
    try part.write([1], at: 0)
    // As on a file system that ignores case.
    link(temporary(name + "/tree/A"), temporary(name + "/tree/a"))
    let tree = temporary(name + "/tree/")
    #expect(throws: PartFileError.sameName(path: tree + "a", other: tree + "A")) {
      try part.write([2], at: 1)
    }
  }

  @Test(.enabled(if: Environment.userID == 0, "only root can mount a folder twice"))
  func `a download ends with both names if the file system takes two folders for one`() throws {
    let sample = try SampleFolder(["x/A/1": .file([1]), "x/a/2": .file([2])])
    let name = FolderPart.name(of: sample.layout.folderID)
    let part = try make(sample)
    let tree = temporary(name + "/tree/x/")
    #expect(mount(tree + "A", tree + "a", "", UInt(MS_BIND), nil) == 0)
    defer { umount2(tree + "a", 2) }
    #expect(throws: PartFileError.sameName(path: tree + "a", other: tree + "A")) {
      _ = try part.makeFolder(FolderPath("x/a"), in: try part.openFolder(FolderPath("x")))
    }
  }

  @Test func `a part with a truncated or replaced file does not get its final name`() throws {
    let sample = try SampleFolder(["a": .file(pattern(40_000)), "b": .file(pattern(100))])
    let tree = temporary(FolderPart.name(of: sample.layout.folderID) + "/tree/")
    let part = try make(sample)
    try part.write(Array(pattern(40_000).prefix(20_000)), at: 0)
    try part.write(pattern(100), at: 40_000)
    #expect(throws: PartFileError.foreign(path: tree + "a", what: "not as long as it was written")) {
      try part.place(as: "out", force: false)
    }
    try part.write(Array(pattern(40_000).dropFirst(20_000)), at: 20_000)
    #expect(rename(tree + "b", temporary("b")) == 0)
    symlink("../../b", tree + "b")
    #expect(throws: PartFileError.foreign(path: tree + "b", what: "not a regular file")) {
      try part.place(as: "out", force: false)
    }
    unlink(tree + "b")
    #expect(rename(temporary("b"), tree + "b") == 0)
    try part.place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
  }

  @Test func `one file that another program changed keeps the output from getting its name`() throws {
    var items: [String: SampleFolder.Item] = [:]
    for i in 0..<2 * FileChecks.entriesOfThread { items["d\(i % 7)/\(i)"] = .file([UInt8(truncatingIfNeeded: i), 1]) }
    let sample = try SampleFolder(items)
    let tree = temporary(FolderPart.name(of: sample.layout.folderID) + "/tree/")
    let part = try make(sample)
    for piece in sample.pieces { try part.write(piece) }
    for name in ["d0/0", "d3/500", "d6/1021"] {
      #expect(truncate(tree + name, 1) == 0)
      #expect(throws: PartFileError.foreign(path: tree + name, what: "not as long as it was written")) {
        try part.place(as: "out", force: false)
      }
      #expect(truncate(tree + name, 2) == 0)
      #expect(link(tree + name, temporary("other")) == 0)
      #expect(throws: PartFileError.foreign(path: tree + name, what: "a file with another hard link")) {
        try part.place(as: "out", force: false)
      }
      unlink(temporary("other"))
      temporary.write(FolderPart.name(of: sample.layout.folderID) + "/tree/" + name, [1, 1])
    }
    try part.place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")).count == sample.items.count)
  }

  // MARK: A parent that becomes a link

  /// Replaces folders by a link and restores them, repeatedly.
  private final class Attacker: Sendable {
    let isOver = Atomic<Bool>(false)
    let isStopped = Atomic<Bool>(false)

    func run(_ tree: String, targets: [String], count: Int) {
      let folders = ["a", "a/b", "a/b/c"]
      var i = 0
      while i < count, !isStopped.load(ordering: .relaxed) {
        let folder = tree + "/" + folders[i % folders.count]
        // The folder does not exist yet.
        guard rename(folder, folder + ".held") == 0 else { continue }
        i += 1
        symlink(targets[i % targets.count] + (i % folders.count == 1 ? "/b" : ""), folder)
        sched_yield()
        unlink(folder)
        rename(folder + ".held", folder)
      }
      isOver.store(true, ordering: .releasing)
    }
  }

  /// Removes a folder with its content, and nothing else.
  private func remove(_ name: String, in parent: borrowing Directory) {
    if let folder = try? parent.openDirectory(beneath: name) {
      for entry in (try? folder.entries()) ?? [] {
        if (try? folder.remove(entry.text!)) == nil { remove(entry.text!, in: folder) }
      }
    }
    try? parent.removeDirectory(name)
  }

  @Test func `a parent that becomes a link 100,000 times never leads a write outside`() throws {
    var items: [String: SampleFolder.Item] = ["a/b/l": .link("x"), "a/e": .file([]), "a/b/c/v": .folder]
    for i in 0..<12 {
      items["a/f\(i)"] = .file(pattern(50 + i))
      items["a/b/f\(i)"] = .file(pattern(30_000 + i))
      items["a/b/c/f\(i)"] = .file(pattern(90 + i))
    }
    let sample = try SampleFolder(items)
    let name = FolderPart.name(of: sample.layout.folderID)
    // On tmpfs, if that is allowed: on a disk, each swap of names would wait for syncs.
    let isMounted = mount("tmpfs", temporary.path, "tmpfs", 0, "size=64m") == 0
    defer { if isMounted { umount2(temporary.path, 2) } }
    mkdir(temporary("empty"), 0o755)
    mkdir(temporary("empty/b"), 0o755)
    for i in 0..<12 {
      temporary.write("full/f\(i)", [9])
      temporary.write("full/b/f\(i)", [9])
    }
    temporary.write("full/l", [9])
    let before = SampleFolder.items(below: temporary("full"))
    let attacker = Attacker()
    let (tree, targets) = (temporary(name + "/tree"), [temporary("empty"), temporary("full")])
    let thread = Thread.start(name: "attack") { attacker.run(tree, targets: targets, count: 100_000) }
    var (rounds, failures, placed): (Int, Int, Int) = (0, 0, 0)
    let pieces = sample.pieces
    while !attacker.isOver.load(ordering: .acquiring), rounds < 1_000_000 {
      rounds += 1
      do {
        let part = try make(sample)
        let writer = Thread.start(name: "write") {
          for piece in pieces { try? part.write(piece) }
        }
        for i in 0..<sample.listing.count where i % 2 == rounds % 2 {
          if (try? part.openToRead(i)) == nil { failures += 1 }
        }
        writer.join()
        if rounds % 2 == 0, (try? part.place(as: "out\(rounds)", force: false)) != nil {
          placed += 1
          part.removeJournal()
          remove("out\(rounds)", in: try Directory(temporary.path))
        } else {
          try part.discard()
        }
      } catch {
        failures += 1
        // The attacker has left something there.
        rename(temporary(name), temporary("junk"))
        remove("junk", in: try Directory(temporary.path))
      }
    }
    attacker.isStopped.store(true, ordering: .relaxed)
    thread.join()
    #expect(rounds > 0 && failures > 0, "\(rounds) rounds, \(failures) failures, \(placed) outputs")
    #expect(SampleFolder.items(below: temporary("empty")) == ["b": .folder])
    #expect(SampleFolder.items(below: temporary("full")) == before)
  }
}
