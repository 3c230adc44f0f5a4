// Which files of a folder are served, and in which order.
import Glibc
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `Scanning a folder` {
  let temporary = TemporaryFolder()

  private func scan() throws -> FolderScan { try FolderScan(try ServedFolder(temporary.path)) }

  @Test func `a scan finds every regular file below the folder in a fixed order`() throws {
    temporary.write("b", pattern(3))
    temporary.write("a/z", pattern(2))
    temporary.write("a/y/x", pattern(1))
    temporary.write("c/d", [])
    temporary.write("new\nline", pattern(4))
    let files = try scan().files
    #expect(files.map(\.path) == ["b", "new\nline", "a/z", "a/y/x", "c/d"])
    #expect(files.map(\.status.size) == [3, 4, 2, 1, 0])
    #expect(try scan().files == files)
    #expect(try scan().skipped.isEmpty)
  }

  @Test func `hidden files and folders, links and special files are neither served nor reported`() throws {
    temporary.write("served", pattern(1))
    temporary.write(".hidden", pattern(1))
    temporary.write(".0123456789abcdef.p2p-part", pattern(1))
    temporary.write(".folder/file", pattern(1))
    symlink(temporary("served"), temporary("link"))
    symlink("/etc", temporary("linked folder"))
    mkfifo(temporary("fifo"), 0o600)
    let scan = try scan()
    #expect(scan.files.map(\.path) == ["served"])
    #expect(scan.skipped.isEmpty)
  }

  @Test func `if names are given, a scan serves them alone, also hidden ones, and reports no other`() throws {
    temporary.write("named", pattern(1))
    temporary.write(".named", pattern(2))
    temporary.write("other", pattern(3))
    temporary.write(".hidden", pattern(4))
    temporary.write("folder/named", pattern(5))
    // These two names are equal as Unicode text, but not on the disk.
    temporary.write("caf\u{E9}", pattern(6))
    temporary.write("cafe\u{301}", pattern(7))
    let rules = ServingRules(only: Set(["named", ".named", "caf\u{E9}"].map { Array($0.utf8) }))
    let scan = try FolderScan(try ServedFolder(temporary.path, rules: rules))
    #expect(scan.files.map(\.status.size) == [2, 6, 1])
    #expect(scan.skipped.isEmpty && scan.leftOut.isEmpty)
  }

  @Test func `a name that is not UTF-8 is reported and does not stop the scan`() throws {
    temporary.write("good", pattern(1))
    var odd = temporary("").utf8.map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xFF), 0]
    close(open(&odd, O_CREAT | O_WRONLY, 0o600))
    let scan = try scan()
    #expect(scan.files.map(\.path) == ["good"])
    #expect(scan.skipped == [SkippedFile(path: "\u{FFFD}", reason: .nameNotUTF8)])
  }

  @Test func `a file of more than 4 TiB is reported`() throws {
    temporary.write("fits", [])
    temporary.write("long", [])
    truncate(temporary("fits"), 1 << 42)
    truncate(temporary("long"), 1 << 42 + 1)
    let scan = try scan()
    #expect(scan.files.map(\.path) == ["fits"])
    #expect(scan.skipped == [SkippedFile(path: "long", reason: .tooLong)])
  }

  @Test(.enabled(if: Environment.userID != 0, "root may read everything"))
  func `a folder that cannot be read is reported and does not stop the scan`() throws {
    temporary.write("closed/file", pattern(1))
    temporary.write("open/file", pattern(1))
    chmod(temporary("closed"), 0)
    defer { chmod(temporary("closed"), 0o700) }
    let scan = try scan()
    #expect(scan.files.map(\.path) == ["open/file"])
    #expect(scan.skipped.map(\.path) == ["closed"])
  }

  @Test func `a path that is too long for the kernel is reported and does not stop the scan`() throws {
    temporary.write("file", pattern(1))
    // Seventeen names of 250 bytes, made one by one, are longer than a path may be.
    let name = String(repeating: "n", count: 250)
    var folder = try Directory(temporary.path)
    for _ in 0..<17 {
      try folder.makeDirectory(name, mode: 0o700)
      folder = try folder.openDirectory(beneath: name)
    }
    let scan = try scan()
    #expect(scan.files.map(\.path) == ["file"])
    #expect(scan.skipped.count == 1)
    try removeNested(name, depth: 17)
  }

  private func removeNested(_ name: String, depth: Int) throws {
    for depth in (0..<depth).reversed() {
      var folder = try Directory(temporary.path)
      for _ in 0..<depth { folder = try folder.openDirectory(beneath: name) }
      unlinkat(folder.descriptor.number, name, AT_REMOVEDIR)
    }
  }

  @Test func `scanning a missing folder or a file is an error`() throws {
    temporary.write("file", pattern(1))
    #expect(throws: Errno.self) { try ServedFolder(temporary("none")) }
    #expect(throws: Errno.self) { try ServedFolder(temporary("file")) }
  }
}
