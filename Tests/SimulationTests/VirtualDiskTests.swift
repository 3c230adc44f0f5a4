// The simulated disk loses what a real disk may lose, and nothing else.
import Content
import Testing
import Transfer

@testable import Simulation

@Suite struct `A virtual disk` {
  private let old = [UInt8](repeating: 1, count: 64)
  private let new = [UInt8](repeating: 2, count: 64)

  /// Cuts the power with many seeds. Returns what each cut leaves.
  private func cuts<T>(_ make: (VirtualDisk) -> Void, _ look: (VirtualDisk) -> T) -> [T] {
    (UInt64(0)..<200).map { seed in
      var generator = SeededGenerator(seed: seed)
      let disk = VirtualDisk(reservesSpace: true)
      make(disk)
      disk.losePower(&generator)
      return look(disk)
    }
  }

  private func part(_ disk: VirtualDisk) -> VirtualFile {
    let file = disk.open(.part, byteCount: 128).file
    file.write(old, at: 0)
    file.endSync(file.beginSync())
    disk.syncNames()
    return file
  }

  @Test func `synced bytes survive every power cut, and any pieces of unsynced bytes do`() {
    let left = cuts({ part($0).write(new, at: 64) }, { $0[.part]!.bytes })
    #expect(left.allSatisfy { Array($0[..<64]) == old && $0.count == 128 })
    let pieces = left.map { bytes in stride(from: 64, to: 128, by: 4).map { bytes[$0] } }
    #expect(pieces.contains { !$0.contains(2) } && pieces.contains { !$0.contains(0) })
    #expect(pieces.contains { $0.contains(0) && $0.contains(2) && $0.sorted() != $0 && $0.sorted(by: >) != $0 })
    #expect(left.allSatisfy { bytes in stride(from: 64, to: 128, by: 4).allSatisfy { bytes[$0] == bytes[$0 + 3] } })
  }

  @Test func `a sync does not cover a write that comes during it`() {
    let left = cuts(
      {
        let file = part($0)
        file.write(new, at: 0)
        let sync = file.beginSync()
        file.write(new, at: 64)
        file.endSync(sync)
      }, { $0[.part]!.bytes })
    #expect(left.allSatisfy { Array($0[..<64]) == new })
    #expect(left.contains { $0[64...].allSatisfy { $0 == 0 } })
  }

  @Test func `after a power cut unsynced appended bytes are all, partly or not there, or are garbage`() {
    let left = cuts(
      {
        let file = $0.open(.journal, byteCount: 0).file
        file.write(old, at: 0)
        file.endSync(file.beginSync())
        $0.syncNames()
        file.write(new, at: 64)
      }, { $0[.journal]!.bytes })
    #expect(left.allSatisfy { (64...128).contains($0.count) && Array($0[..<64]) == old })
    #expect(Set(left.map(\.count)).count > 20)
    #expect(left.contains { $0.count == 128 && Array($0[64...]) == new })
    #expect(left.contains { $0[64...].contains { $0 != 0 && $0 != 2 } }, "garbage")
  }

  @Test func `a failed sync loses some bytes, also for the process that wrote them`() {
    let read = (UInt64(0)..<50).map { seed in
      var generator = SeededGenerator(seed: seed)
      let disk = VirtualDisk(reservesSpace: true)
      let file = part(disk)
      file.write(new, at: 64)
      disk.failsToSync = true
      #expect(throws: VirtualDisk.Failure.failed) { try disk.sync(file, file.beginSync(), &generator) }
      #expect(file.bytes == file.platter)
      return file.bytes
    }
    #expect(Set(read.map { $0[64...].count { $0 == 2 } }).count > 5)
  }

  @Test func `names survive once the folder is synced, and a file never has two names`() {
    let unsynced = cuts({ _ = $0.open(.part, byteCount: 4) }, { $0[.part] != nil })
    #expect(Set(unsynced) == [false, true])
    let renamed = cuts(
      {
        _ = part($0)
        $0.place()
      }, { [$0[.part] != nil, $0[.output] != nil] })
    #expect(Set(renamed) == [[true, false], [false, true]])
    let synced = cuts(
      {
        _ = part($0)
        $0.place()
        $0.syncNames()
      }, { $0[.part] == nil && $0[.output] != nil })
    #expect(!synced.contains(false))
  }

  @Test func `a full disk takes the bytes that fit, and more once there is room`() throws {
    let disk = VirtualDisk(reservesSpace: true)
    let journal = disk.open(.journal, byteCount: 0).file
    disk.roomBytes = 10
    #expect(throws: VirtualDisk.Failure.full) { try disk.write(new, to: journal, at: 0) }
    #expect(journal.bytes == Array(new[..<10]))
    try disk.write(new, to: part(disk), at: 0)  // its space is reserved
    disk.mend()
    try disk.write(new, to: journal, at: 10)
    #expect(journal.bytes.count == 74)
  }
}
