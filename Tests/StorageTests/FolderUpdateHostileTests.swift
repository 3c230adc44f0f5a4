// Updates that end midway, and updates of an output that another program attacks.
import Content
import Glibc
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite struct `An update that is disturbed` {
  /// Two versions that differ by every kind of change.
  private func versions() throws -> (old: [String: SampleFolder.Item], new: SampleFolder) {
    let moved = pattern(40_000, seed: 1)
    let large = pattern(2 << 20, seed: 2)
    var changed = large
    changed[5] ^= 1
    var old: [String: SampleFolder.Item] = [
      "moved/from": .file(moved), "large": .file(large), "a": .file([1]), "b/file": .file([2]), "c": .link("a"),
      "gone/x": .file([3]), "kept": .file([4]),
    ]
    var new: [String: SampleFolder.Item] = [
      "moved/to": .file(moved), "large": .file(changed), "a/now/folder": .file([5]), "b": .link("kept"),
      "c": .file([6]), "kept": .file([4]), "mode": .file([7], isExecutable: true), "void": .folder,
    ]
    old["mode"] = .file([7])
    for i in 0..<6 {
      old["many/\(i)"] = .file(pattern(500, seed: UInt64(10 + i)))
      new["many/\(i)"] = .file(pattern(600, seed: UInt64(20 + i)))
    }
    return (old, try SampleFolder(new))
  }

  @Test func `an update that ends after any of its moves is completed by the next one`() throws {
    let (old, sample) = try versions()
    for moves in 1...20 {
      var bench = UpdateBench(old)
      bench.options.deletes = true
      let left = Atomic<Int>(moves)
      let halt = PartFileError.io(Errno(code: EIO, call: "test", subject: "halt"))
      let update = try bench.begin(sample) { () throws(PartFileError) in
        if left.subtract(1, ordering: .relaxed).newValue == 0 { throw halt }
      }
      _ = try UpdateBench.fetch(sample, into: update)
      var error: PartFileError?
      do { try UpdateBench.finish(update) } catch let thrown as PartFileError { error = thrown }
      if left.load(ordering: .relaxed) > 0 {
        // There are fewer moves than that.
        #expect(error == nil && bench.items == sample.items && moves > 10)
        continue
      }
      #expect(error == halt)
      update.release()
      // Each file is the old one or the new one.
      for (path, item) in bench.items where !path.contains(".p2p-part") {
        #expect(item == old[path] || item == sample.items[path], "\(path) after \(moves) moves")
      }
      // Leaves that were fetched before are not fetched again.
      #expect(try bench.update(sample) == 0)
      #expect(bench.items == sample.items, "after \(moves) moves")
    }
  }

  @Test func `an update that is dropped while it fetches is continued by the next one`() throws {
    let (old, sample) = try versions()
    var bench = UpdateBench(old)
    bench.options.deletes = true
    var update: FolderUpdate? = try bench.begin(sample)
    let all = try UpdateBench.fetch(sample, into: update!)
    #expect(all > 1 << 20)
    update!.release()
    update = nil
    #expect(bench.items.filter { !$0.key.contains(".p2p-part") } == old)
    #expect(try bench.update(sample) == 0)
    #expect(bench.items == sample.items)
  }

  // MARK: A parent that becomes a link

  /// Replaces folders by a link and restores them, repeatedly.
  private final class Attacker: Sendable {
    let isStopped = Atomic<Bool>(false)
    let swaps = Atomic<Int>(0)

    func run(_ output: String, target: String) {
      let folders = ["a", "a/b", "d"]
      var i = 0
      while !isStopped.load(ordering: .relaxed) {
        let folder = output + "/" + folders[i % folders.count]
        i += 1
        guard rename(folder, folder + ".held") == 0 else { continue }
        symlink(target + (i % folders.count == 2 ? "/b" : ""), folder)
        sched_yield()
        unlink(folder)
        rename(folder + ".held", folder)
        swaps.add(1, ordering: .relaxed)
      }
    }
  }

  @Test func `a parent that becomes a link never leads an update outside`() throws {
    let victims: [String: SampleFolder.Item] = [
      "b/x": .file([1]), "b/old": .file([2]), "x": .file([1]), "old": .file([2]), "b/y/z": .file([3]),
    ]
    let temporary = TemporaryFolder()
    mkdir(temporary("victim"), 0o755)
    UpdateBench.make(victims, in: temporary("victim"))
    let attacker = Attacker()
    var swaps = 0
    var ends: Set<Bool> = []
    while swaps < 20_000 {
      var bench = UpdateBench([
        "a/b/x": .file([1]), "a/b/old": .file([2]), "a/x": .file([1]), "a/old": .file([2]), "d/x": .file([1]),
        "d/old": .file([2]), "kept": .file([4]),
      ])
      bench.options.deletes = true
      let sample = try SampleFolder([
        "a/b/x": .file([8]), "a/b/y/z": .file([8]), "a/x": .file([8]), "a/y": .file([8]), "d/x": .file([8]),
        "d/y": .link("x"), "kept": .file([4]),
      ])
      let update = try bench.begin(sample)
      _ = try UpdateBench.fetch(sample, into: update)
      let thread = Thread.start(name: "attack") { [output = bench.output] in
        attacker.run(output, target: temporary("victim"))
      }
      let first = attacker.swaps.load(ordering: .relaxed)
      while attacker.swaps.load(ordering: .relaxed) < first + 3 { sched_yield() }
      // The update may fail, but must not change anything outside.
      do { try UpdateBench.finish(update); ends.insert(true) } catch { ends.insert(false) }
      while attacker.swaps.load(ordering: .relaxed) < first + 500 { sched_yield() }
      attacker.isStopped.store(true, ordering: .relaxed)
      thread.join()
      attacker.isStopped.store(false, ordering: .relaxed)
      update.release()
      swaps = attacker.swaps.load(ordering: .relaxed)
      #expect(SampleFolder.items(below: temporary("victim")) == victims)
    }
    #expect(ends.contains(false), "the attack never met an update")
  }
}
