// The power fails during a download: the disk's content at that moment is copied and checked. All claimed leaves are on
// the disk, the next `get` finishes, and a finished file stays as it is.
//
// P2PNODE_CRASHES=all cuts the power twenty times instead of four.
import Foundation
import Testing
import Transfer

@Suite(.enabled(if: Privileges.canMountImages, "no ext4 image can be mounted here"), .serialized)
struct PowerCutTests {
  private let workbench = Workbench()
  private static let byteCount = (66 << 20) + 1_234

  @Test func `after a power cut the journal's claims are correct, and the next get continues`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: Self.byteCount, "--upload-limit", "7Mi")
    let fast = try workbench.serve(workbench.path("served"))
    let seed = UInt64.random(in: 0 ... .max)
    print("power cuts: seed \(seed)")
    var generator = SeededGenerator(seed: seed)
    let disk = try CutDisk(workbench, megabytes: 120)
    var claims = 0
    for round in 1...(Extent.isEveryCrash ? 5 : 1) {
      let get = try workbench.start(
        ["get", fileID, "--peer", slow.address, "-o", disk.now + "/out.bin"], through: disk.entering)
      let now = PartFolder(path: disk.seen(disk.now), fileID: fileID, byteCount: Self.byteCount)
      for cut in 1...4 {
        // Cut once before anything is claimed, and then at any moment, also during the last syncs.
        if cut == 2 { try workbench.wait(for: "a claim") { now.claimedBytes > 0 || get.code != nil } }
        try workbench.wait(forBytes: Int.random(in: 0...4 << 20, using: &generator), writtenBy: get)
        try disk.cut(during: get)
        claims += try check("seed \(seed), round \(round), cut \(cut)", disk, fileID, path, from: fast)
      }
      try workbench.ended(get)
      #expect(get.code == 0, "\(get)")
      try disk.cut()
      #expect(TestFile.areEqual(path, disk.seen(disk.after + "/out.bin")), "seed \(seed), round \(round), finished")
      try disk.restore()
      try disk.run("rm now/out.bin; sync")
    }
    #expect(claims > 0, "seed \(seed): no cut found a claim")
    print("power cuts: \(claims) claimed leaves were looked at")
  }

  /// Compares the claimed leaves after a cut, and lets a get finish. Returns the number of claimed leaves.
  private func check(
    _ moment: String, _ disk: CutDisk, _ fileID: String, _ path: String, from fast: Served
  ) throws -> Int {
    let after = PartFolder(path: disk.seen(disk.after), fileID: fileID, byteCount: Self.byteCount)
    let (claimed, bytes) = (after.claims.count, after.claimedBytes)
    if claimed > 0 {
      let wrong = try after.wrongClaims(against: path, named: "out.bin")
      #expect(wrong == 0, "\(moment): \(wrong) of \(claimed) claimed leaves are not there")
    }
    let get = try workbench.run(
      "get", fileID, "--peer", fast.address, "-o", disk.after + "/out.bin", "--json", through: disk.entering)
    #expect(get.code == 0, "\(moment): \(get)")
    #expect(TestFile.areEqual(path, after.path + "/out.bin"), "\(moment)")
    let fetched = try #require(try GetEvents(get).number("bytes"))
    #expect(fetched <= Self.byteCount - bytes, "\(moment): \(get)")
    try disk.restore()
    return claimed
  }
}
