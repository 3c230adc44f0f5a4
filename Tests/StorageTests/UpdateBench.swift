// An output with one version of a folder that is updated to another one.
import Content
import Glibc
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// An output in a new folder, and what its updates fetch.
struct UpdateBench {
  let temporary = TemporaryFolder()
  var options = FolderUpdateOptions()

  /// - `items`: the content of the output at the start.
  init(_ items: [String: SampleFolder.Item] = [:]) {
    mkdir(temporary("out"), 0o755)
    UpdateBench.make(items, in: temporary("out"))
  }

  static func make(_ items: [String: SampleFolder.Item], in folder: String) {
    for (path, item) in items.sorted(by: { $0.key < $1.key }) {
      var parent = folder
      for name in path.split(separator: "/").dropLast() {
        parent += "/" + name
        mkdir(parent, 0o755)
      }
      let full = folder + "/" + path
      switch item {
      case .file(let bytes, let isExecutable):
        let number = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        precondition(pwrite(number, bytes, bytes.count, 0) == bytes.count, "cannot write \(path)")
        fchmod(number, isExecutable ? 0o755 : 0o644)
        close(number)
      case .link(let target): symlink(target, full)
      case .folder: mkdir(full, 0o755)
      }
    }
  }

  var output: String { temporary("out") }
  func out(_ path: String) -> String { output + "/" + path }
  var items: [String: SampleFolder.Item] { SampleFolder.items(below: output) }

  func plan(_ sample: SampleFolder) throws -> FolderPlan {
    try #require(try FolderUpdate.plan(output, to: sample.layout, options))
  }

  func begin(
    _ sample: SampleFolder, afterMove: @escaping @Sendable () throws(PartFileError) -> Void = {}
  ) throws -> FolderUpdate {
    try #require(
      try FolderUpdate(
        output, to: sample.layout, options, threads: 2, shouldStop: { false }, afterMove: afterMove))
  }

  /// Runs a complete update. Returns the number of bytes that a download would have fetched.
  @discardableResult func update(_ sample: SampleFolder) throws -> Int {
    let update = try begin(sample)
    let fetched = try UpdateBench.fetch(sample, into: update)
    try UpdateBench.finish(update)
    return fetched
  }

  static func finish(_ update: FolderUpdate) throws {
    try update.place(as: "out", force: false)
    update.removeJournal()
    update.release()
  }

  /// Writes the missing leaves, as a download does.
  static func fetch(_ sample: SampleFolder, into update: FolderUpdate) throws -> Int {
    let cut = sample.cut
    let found =
      update.isResumed
      ? try update.verifiedLeaves(of: sample.chunks(withLeafHashes: false), in: cut, threads: 1) { false } : []
    let had = Dictionary(uniqueKeysWithValues: found.map { ($0.chunk, $0.mask) })
    var fetched = 0
    for entry in update.missingFiles.entries {
      for (chunk, leaves) in sample.layout.places(ofFile: entry) {
        for leaf in 0..<64 where leaves & ~(had[chunk] ?? 0) & 1 << UInt64(leaf) != 0 {
          let start = Int(cut.offset(ofLeaf: leaf, in: chunk))
          let count = cut.length(of: LeafRange(first: leaf, count: 1), in: chunk)
          try update.write(Array(sample.contents[start..<start + count]).span.bytes, at: UInt64(start))
          fetched += count
        }
      }
    }
    return fetched
  }
}

extension FolderUpdateFault {
  /// The error that an update throws for this fault.
  var error: PartFileError { .update(self) }
}
