// Checks that each file of a folder is reported as complete once it is, and not earlier.
import Content
import Transfer

/// The places of the wanted leaves of each file.
struct FileBooks {
  /// For each file with wanted leaves, by entry.
  private var places: [UInt32: [(chunk: Int, leaves: UInt64)]] = [:]
  /// For each chunk, the files that have wanted leaves in it.
  private var entries: [[UInt32]]

  /// - `due`: the wanted leaves of each chunk.
  init(_ folder: FolderLayout, due: [UInt64]) {
    entries = Array(repeating: [], count: due.count)
    for entry in 0..<folder.listing.count where folder.listing.isFile(entry) {
      let wanted = folder.places(ofFile: entry).map { place in
        (chunk: Int(place.chunk.rawValue), leaves: place.leaves & due[Int(place.chunk.rawValue)])
      }.filter { $0.leaves != 0 }
      if wanted.isEmpty { continue }
      places[UInt32(entry)] = wanted
      for place in wanted { entries[place.chunk].append(UInt32(entry)) }
    }
  }

  /// Returns the files that are complete because more leaves of a chunk are verified.
  /// - `before`: the chunk's verified leaves before.
  /// - `verified`: the verified leaves of all chunks now.
  func completed(by chunk: Int, before: UInt64, verified: [UInt64]) -> [UInt32] {
    entries[chunk].filter { entry in
      let places = places[entry] ?? []
      let wasMissing = places.contains { $0.chunk == chunk && $0.leaves & ~before != 0 }
      return wasMissing && places.allSatisfy { $0.leaves & ~verified[$0.chunk] == 0 }
    }
  }
}

extension RuleBook {
  /// Leaves of a chunk were verified. Records the files that must now be reported.
  mutating func expectFiles(of chunk: ChunkIndex, before: UInt64) {
    guard let files else { return }
    expectedFiles.formUnion(files.completed(by: Int(chunk.rawValue), before: before, verified: verified))
  }

  mutating func completeFiles(_ entries: [UInt32]) {
    for entry in entries where expectedFiles.remove(entry) == nil {
      breakRule("file \(entry) is reported as complete, and is not, or was before")
    }
  }
}
