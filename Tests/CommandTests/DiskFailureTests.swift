// A disk that fills or fails midway. The error says what failed, where and what to do. No verified leaf is lost.
//
// P2PNODE_CRASHES=all makes each write and each sync fail in turn.
import Foundation
import Testing

@Suite(.enabled(if: Trace.isHere, "strace is not here"), .serialized) struct DiskFailureTests {
  private let workbench = Workbench()
  private static let byteCount = (65 << 20) + 70_000

  /// A system call that fails.
  private struct Fault: CustomStringConvertible {
    let call: String
    let error: String
    let number: Int
    var description: String { "\(error) of \(call) \(number)" }
  }

  /// Runs a get that fails, then one that must make the right file without fetching claimed leaves again.
  private func fail(
    _ fault: Fault, saying words: String, _ fileID: String, from served: Served, is path: String
  ) throws -> Bool {
    let output = try workbench.makeFolder("output")
    defer { try? FileManager.default.removeItem(atPath: output) }
    let folder = PartFolder(path: output, fileID: fileID, byteCount: Self.byteCount)
    let arguments = ["get", fileID, "--peer", served.address, "-o", output + "/out.bin", "--json"]
    let failed = try workbench.start(
      arguments, through: Trace.failing(fault.call, fault.error, number: fault.number))
    try workbench.ended(failed)
    if failed.code == 0 { return false }
    #expect(failed.code == 74, "\(fault): \(failed)")
    let last = try #require(failed.stderr.lines.last)
    #expect(last.contains(words) && last.contains("run the same command again"), "\(fault): \(failed)")
    #expect(last.contains(folder.part) || last.contains(folder.journal), "\(fault): \(failed)")
    // The first write opens the journal, before anything is fetched.
    let left = try folder.names
    #expect(!left.contains("out.bin") && (!left.isEmpty || fault.number == 1), "\(fault): \(left)")
    if !left.isEmpty {
      #expect(try FileManager.default.attributesOfItem(atPath: folder.part)[.posixPermissions] as? Int == 0o600)
    }
    let claimed = folder.claimedBytes
    let resumed = try workbench.ended(try workbench.start(arguments))
    #expect(resumed.code == 0, "\(fault): \(resumed)")
    #expect(TestFile.areEqual(path, output + "/out.bin"), "\(fault)")
    #expect(try folder.names == ["out.bin"], "\(fault)")
    #expect(try #require(try GetEvents(resumed).number("bytes")) <= Self.byteCount - claimed, "\(fault): \(resumed)")
    return true
  }

  @Test(arguments: [
    ("pwrite64", "ENOSPC", "no room on the disk", [1, 3, 260, 400]),
    ("pwrite64", "EIO", "Input/output error", [2, 350]),
    ("fdatasync", "EIO", "Input/output error", [1]),
    ("fdatasync", "ENOSPC", "no room on the disk", [1]),
  ]) func `get exits with 74 if a write or a sync fails, and keeps the bytes written before`(
    call: String, error: String, words: String, numbers: [Int]
  ) throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount)
    var (number, failures, unharmed) = (0, 0, 0)
    while Extent.isEveryCrash ? unharmed < 8 : number < numbers.count {
      number += 1
      let fault = Fault(call: call, error: error, number: Extent.isEveryCrash ? number : numbers[number - 1])
      let hasFailed = try fail(fault, saying: words, fileID, from: served, is: path)
      failures += hasFailed ? 1 : 0
      unharmed = hasFailed ? 0 : unharmed + 1
    }
    #expect(failures > 0, "\(call) never failed")
    if Extent.isEveryCrash { print("\(error) of \(call): \(failures) failures, up to number \(number - unharmed)") }
  }

  @Test(.enabled(if: Privileges.canEnterMounts))
  func `get exits with 74 if the disk fills, and the same command fetches the rest once there is room`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "2Mi")
    let disk = try workbench.makeFolder("disk")
    let mounts = try workbench.mounts(#"mount -t tmpfs -o size=13m tmpfs "$0""#, disk)
    let folder = PartFolder(path: mounts.seen(disk), fileID: fileID, byteCount: 12 << 20)
    // As on a file system that cannot reserve space.
    let full = try workbench.start(
      ["get", fileID, "--peer", served.address, "-o", disk + "/out.bin"],
      through: mounts.entering + Trace.failingAlways("fallocate", "EOPNOTSUPP"))
    try workbench.line(of: full, with: "Chunk 1/12")
    try TestFile.write(folder.path + "/other", byteCount: 8 << 20, seed: 2)
    try workbench.ended(full)
    #expect(full.code == 74, "\(full)")
    try FileManager.default.removeItem(atPath: folder.path + "/other")
    #expect(
      full.stderr.lines.last
        == "p2pnode: \(disk)/.\(fileID.prefix(16)).p2p-part: no room on the disk for a file of 12582912 bytes; "
        + "make room and run the same command again", "\(full)")
    // There may be space for the note with the file's ID.
    let names = try folder.names.filter { !$0.hasSuffix(".p2p-journal") }
    #expect(names == [".\(fileID.prefix(16)).p2p-part"])

    let resumed = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", disk + "/out.bin", "--json", through: mounts.entering)
    #expect(resumed.code == 0, "\(resumed)")
    let events = try GetEvents(resumed)
    let kept = try #require(events.number("resumedChunks"))
    #expect(kept >= 1 && kept <= 5 && events.chunks.count == 12 - kept, "\(resumed)")
    #expect(try folder.names == ["out.bin"])
    #expect(TestFile.areEqual(path, folder.path + "/out.bin"))
  }
}
