// Calls on open files: complete lengths, exact ends, and errors that name the call and the path.
import Glibc
import Posix
import Testing
import TestSupport

@Suite struct `Open files` {
  let folder = TemporaryFolder()

  @Test func `bytes that were written are read back, and a read across the end is short`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    let bytes = pattern(100_000)
    try file.write(bytes.span.bytes, at: 7)
    var buffer = [UInt8](repeating: 0xEE, count: 100_010)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    #expect(try file.read(at: 7, into: &raw) == 100_000)
    #expect(Array(buffer[..<100_000]) == bytes)
    #expect(Array(buffer[100_000...]) == [UInt8](repeating: 0xEE, count: 10))
    #expect(try file.status().size == 100_007)
  }

  @Test func `a short read leaves the rest of the span alone`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    try file.write(pattern(10).span.bytes, at: 0)
    var buffer = [UInt8](repeating: 0, count: 10)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    #expect(try file.read(at: 0, count: 4, into: &raw) == 4)
    #expect(buffer == pattern(10)[..<4] + [0, 0, 0, 0, 0, 0])
  }

  @Test func `an empty span reads and writes no bytes`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    var empty: [UInt8] = []
    try file.write(empty.span.bytes, at: 3)
    var span = empty.mutableSpan
    var raw = span.mutableBytes
    #expect(try file.read(at: 0, into: &raw) == 0)
    #expect(try file.status().size == 0)
  }

  @Test func `an offset that the kernel cannot hold is an error and not a trap`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    #expect(throws: Errno.self) { try file.write(pattern(2).span.bytes, at: .max) }
    #expect(throws: Errno.self) { try file.write(pattern(2).span.bytes, at: UInt64(Int64.max) - 1) }
    #expect(throws: Errno.self) { try file.truncate(to: .max) }
    #expect(throws: Errno.self) { try file.allocate(from: 0, count: .max) }
    #expect(throws: Errno.self) { try file.nextData(from: .max) }
  }

  @Test func `an error names the failed call, the path and the reason`() throws {
    let path = folder("missing")
    let error = #expect(throws: Errno.self) { _ = try File(path, .read) }
    #expect(error == Errno(code: ENOENT, call: "open", subject: path))
    #expect(error?.description == "\(path): No such file or directory")
  }

  @Test func `a path with a NUL in it is refused and not cut short`() throws {
    _ = try File(folder("short"), [.readWrite, .createExclusive])
    let error = #expect(throws: Errno.self) { _ = try File(folder("short\0er"), .read) }
    #expect(error?.code == EINVAL)
  }

  @Test func `creating exclusively refuses an existing file and a dangling link`() throws {
    _ = try File(folder("there"), [.readWrite, .createExclusive])
    symlink(folder("nowhere"), folder("link"))
    for name in ["there", "link"] {
      let error = #expect(throws: Errno.self) { _ = try File(folder(name), [.readWrite, .createExclusive]) }
      #expect(error?.code == EEXIST)
    }
  }

  @Test func `opening with noFollow refuses a link`() throws {
    _ = try File(folder("there"), [.readWrite, .createExclusive])
    symlink(folder("there"), folder("link"))
    _ = try File(folder("link"), .read)
    let error = #expect(throws: Errno.self) { _ = try File(folder("link"), [.read, .noFollow]) }
    #expect(error?.code == Errno.symbolicLink)
  }

  @Test func `a second descriptor cannot lock a locked file until the first one closes`() throws {
    var first: File? = try File(folder("lock"), [.readWrite, .createExclusive])
    let second = try File(folder("lock"), .read)
    #expect(try first!.tryLock())
    #expect(try !second.tryLock())
    first = nil
    #expect(try second.tryLock())
  }

  @Test func `allocating grows a file to its length, and truncating shortens it`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    try file.allocate(from: 0, count: 1 << 20)
    #expect(try file.status().size == 1 << 20)
    try file.truncate(to: 5)
    #expect(try file.status().size == 5)
  }

  @Test func `data is found between holes`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    try file.truncate(to: 4 << 20)
    #expect(try file.nextData(from: 0) == nil)
    try file.write(pattern(1 << 20).span.bytes, at: 1 << 20)
    #expect(try file.nextData(from: 0) == (1 << 20)..<(2 << 20))
    #expect(try file.nextData(from: 3 << 19) == (3 << 19)..<(2 << 20))
    #expect(try file.nextData(from: 2 << 20) == nil)
  }

  @Test func `mode, sync and write-back calls succeed`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive], mode: 0o600)
    try file.setMode(0o641)
    #expect(try file.status().mode == 0o641)
    try file.write(pattern(10_000).span.bytes, at: 0)
    file.willRead(from: 0, count: 10_000)
    try file.startWriteBack()
    try file.syncData()
    try file.sync()
  }

  @Test func `writing changes the status of a file, and reading does not`() throws {
    let file = try File(folder("data"), [.readWrite, .createExclusive])
    try file.write(pattern(10).span.bytes, at: 0)
    let before = try file.status()
    var buffer = [UInt8](repeating: 0, count: 10)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    _ = try file.read(at: 0, into: &raw)
    #expect(try file.status().sameContent(as: before))
    try file.write(pattern(1).span.bytes, at: 10)
    #expect(try !file.status().sameContent(as: before))
    #expect(before.kind == .regular && before.linkCount == 1 && before.owner == Environment.userID)
  }

  @Test func `a pipe takes all bytes in order`() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let bytes = pattern(300_000)
    let writer = File(owning: FileDescriptor(owning: ends[1]), path: "pipe")
    let readEnd = ends[0]
    _ = fcntl(writer.descriptor.number, F_SETFL, O_NONBLOCK)
    // Another thread reads, because the pipe holds less than is written.
    let received = Received()
    let thread = Thread.start(name: "reader") {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = read(readEnd, &buffer, buffer.count)
        if count <= 0 { break }
        received.append(buffer[..<count])
      }
      close(readEnd)
    }
    try writer.write(bytes.span.bytes)
    _ = consume writer
    thread.join()
    #expect(received.bytes == bytes)
  }
}
