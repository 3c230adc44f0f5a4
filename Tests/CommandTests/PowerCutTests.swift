// The power fails while a download runs: what the disk holds at that moment is copied and looked at. Whatever the
// journal claims is there, the next `get` finishes, and a file that is finished stays so.
//
// The disk is an ext4 image on a loop device in memory: what is in the image was written to it, the rest is lost.
// P2PNODE_CRASHES=all cuts the power twenty times instead of four.
import Foundation
import Testing
import Transfer

@Suite(.enabled(if: Privileges.canMountImages, "no ext4 image can be mounted here"), .serialized)
struct PowerCutTests {
  private let workbench = Workbench()
  private static let byteCount = (66 << 20) + 1_234

  /// The image is bare enough for a copy of it to be quick.
  private static let disk = """
    mount -t tmpfs -o size=600m tmpfs "$0" && cd "$0" && mkdir now after && truncate -s 120m image \
    && mkfs.ext4 -q -F -O ^has_journal -E nodiscard image && tune2fs -O has_journal image \
    && mount -o loop image now
    """

  @Test func `after a power cut what the journal claims is right, and the next get goes on`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount, "--upload-limit", "7Mi")
    let fast = try workbench.serve(workbench.path("served"))
    let seed = UInt64.random(in: 0 ... .max)
    print("power cuts: seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let disk = try workbench.makeFolder("disk")
    let mounts = try workbench.mounts(Self.disk, disk)
    var claims = 0
    for round in 1...(Extent.isEveryCrash ? 5 : 1) {
      let get = try workbench.start(
        ["get", fileID, "--peer", slow.address, "-o", disk + "/now/out.bin"], through: mounts.entering)
      let now = PartFolder(path: mounts.seen(disk + "/now"), fileID: fileID, byteCount: Self.byteCount)
      for cut in 1...4 {
        // The first while nothing is claimed yet; the others at any moment after, which the last syncs are.
        if cut == 2 { try workbench.wait(for: "a claim") { now.claimedBytes > 0 || get.code != nil } }
        try workbench.wait(forBytes: Int.random(in: 0...4 << 20, using: &generator), writtenBy: get)
        try stop(get)
        try run(mounts, copying, disk)
        get.signal(SIGCONT)
        let moment = "seed \(seed), round \(round), cut \(cut)"
        claims += try check(moment, mounts, disk, fileID, path, from: fast)
      }
      try workbench.ended(get)
      #expect(get.code == 0, "\(get)")
      try run(mounts, copying, disk)
      try run(mounts, #"mount -o loop copy after"#, disk)
      #expect(TestFile.areEqual(path, mounts.seen(disk + "/after/out.bin")), "seed \(seed), round \(round), finished")
      try run(mounts, "umount --lazy after; rm copy now/out.bin; sync", disk)
    }
    #expect(claims > 0, "seed \(seed): no cut found a claim")
    print("power cuts: \(claims) claimed leaves were looked at")
  }

  /// The image as it is, which is at rest once two copies are the same.
  private let copying =
    "for i in 1 2 3 4 5 6 7 8 9; do cp --sparse=always image copy; cmp -s image copy && exit; done; exit 1"

  /// Mounts the copy, compares what is claimed, and lets a get finish it. Returns how many leaves were claimed.
  private func check(
    _ moment: String, _ mounts: Mounts, _ disk: String, _ fileID: String, _ path: String, from fast: Served
  ) throws -> Int {
    try run(mounts, "mount -o loop copy after", disk)
    let after = PartFolder(path: mounts.seen(disk + "/after"), fileID: fileID, byteCount: Self.byteCount)
    let (claimed, bytes) = (after.claims.count, after.claimedBytes)
    if claimed > 0 {
      let wrong = try after.wrongClaims(against: path, named: "out.bin")
      #expect(wrong == 0, "\(moment): \(wrong) of \(claimed) claimed leaves are not there")
    }
    let get = try workbench.run(
      "get", fileID, "--peer", fast.address, "-o", disk + "/after/out.bin", "--json", through: mounts.entering)
    #expect(get.code == 0, "\(moment): \(get)")
    #expect(TestFile.areEqual(path, after.path + "/out.bin"), "\(moment)")
    let fetched = try #require(try GetEvents(get).number("bytes"))
    #expect(fetched <= Self.byteCount - bytes, "\(moment): \(get)")
    try run(mounts, "umount --lazy after && rm copy", disk)
    return claimed
  }

  private func run(_ mounts: Mounts, _ script: String, _ disk: String) throws {
    let arguments = Array(mounts.entering[1...]) + ["sh", "-c", #"cd "$0" && "# + script, disk]
    let child = try workbench.ended(try workbench.start(mounts.entering[0], arguments))
    guard child.code == 0 else { throw Unexpected("\(child)") }
  }

  /// Returns when no thread of it is in a system call any more.
  private func stop(_ get: Child) throws {
    guard let pid = get.pid else { return }
    get.signal(SIGSTOP)
    try workbench.wait(for: "every thread to stop", checkingEachMilliseconds: 1) {
      let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
      return threads.allSatisfy { thread in
        let status = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
        return status?.contains("State:\tT") != false
      }
    }
  }
}
