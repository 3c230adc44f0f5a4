// The folder of a simulation: a random tree, small enough for thousands of runs.
import Content
import Transfer

/// A tree, its listing, and its layout.
struct SimulatedFolder: Sendable {
  let layout: FolderLayout
  /// The bytes of each entry. Empty if the entry is not a file.
  let files: [[UInt8]]

  /// The contents: the bytes of all files, in the order of the layout.
  var bytes: [UInt8] {
    layout.runs(at: 0, count: Int(layout.listing.contentsLength)).flatMap { run in
      files[run.entry][Int(run.offset)..<Int(run.offset) + run.count]
    }
  }

  /// Draws a tree. At least one file has bytes, because empty contents are never opened.
  /// - `cut`: the layout of a file of this size.
  init(like cut: ChunkLayout, chunksPerPage: Int, _ generator: inout SeededGenerator) {
    let draw = FolderDraw(cut: cut, chunksPerPage: chunksPerPage)
    var entries = draw.entries(&generator)
    if !entries.contains(where: { !$0.bytes.isEmpty }) { entries[0] = draw.file([7], &generator) }
    // Give each entry a name, so that the entries are in an order.
    let named = entries.enumerated().map { place, entry in
      let folder = place / 7 % 3 == 0 ? "" : "folder \(place / 7)/"
      return (path: FolderPath("\(folder)\(place % 2 == 0 ? "a" : "b")\(1000 + place)"), entry)
    }.sorted { $0.path < $1.path }
    files = named.map(\.1.bytes)
    guard let listing = try? FolderListing(named.map { FolderEntry($0.path, $0.1.item) }),
      let layout = try? FolderLayout(
        listing, root: Digest(sha256: listing.bytes.span.bytes), chunkSize: cut.chunkSize, leafSize: cut.leafSize,
        chunksPerPage: chunksPerPage)
    else { preconditionFailure("a drawn tree breaks no rule") }
    self.layout = layout
  }

  /// Draws wanted leaves of some files, as if a user chose files or an older version had the rest.
  func wanted(_ generator: inout SeededGenerator) -> WantedLeaves {
    var wanted = generator.chance(0.5) ? WantedLeaves.all : .none
    let isAll = wanted == .all
    let part = generator.pick([0, 0.1, 0.5, 0.9, 1])
    for entry in 0..<layout.listing.count where layout.listing.isFile(entry) && generator.chance(part) {
      let isWhole = generator.chance(0.7)
      for (chunk, leaves) in layout.places(ofFile: entry) {
        let mask = isWhole ? leaves : leaves & generator.next()
        if isAll { wanted.remove(mask, of: chunk) } else { wanted.insert(mask, of: chunk) }
      }
    }
    return wanted
  }
}

/// Draws the entries of a tree.
private struct FolderDraw {
  struct Entry {
    let item: FolderEntry.Item
    let bytes: [UInt8]
  }

  let cut: ChunkLayout
  let chunksPerPage: Int

  func entries(_ generator: inout SeededGenerator) -> [Entry] {
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: tiny(Int.random(in: 1...150, using: &generator), &generator)
    case 1: [sized(Int.random(in: 2...60, using: &generator) * cut.chunkSize, &generator)]
    default: mixed(&generator)
    }
  }

  private func tiny(_ count: Int, _ generator: inout SeededGenerator) -> [Entry] {
    (0..<count).map { _ in sized(cut.leafSize, &generator) }
  }

  private func mixed(_ generator: inout SeededGenerator) -> [Entry] {
    var entries = tiny(Int.random(in: 0...30, using: &generator), &generator)
    for _ in 0..<Int.random(in: 1...8, using: &generator) {
      entries.append(sized(generator.pick([2 * cut.leafSize, cut.chunkSize]), &generator))
    }
    for _ in 0..<Int.random(in: 0...5, using: &generator) { entries.append(sized(5 * cut.chunkSize, &generator)) }
    if chunksPerPage <= 16, generator.chance(0.5) {
      entries.append(sized((2 * chunksPerPage + 3) * cut.chunkSize, &generator))
    }
    // Equal files are cut as often as they are listed.
    if generator.chance(0.2) { entries.append(generator.pick(entries)) }
    entries.append(Entry(item: .emptyFolder, bytes: []))
    entries.append(Entry(item: .symbolicLink(target: FolderPath("a")), bytes: []))
    return entries.shuffled(using: &generator)
  }

  /// Draws a file of at most `lengthMax` bytes: of any length, or of whole leaves.
  private func sized(_ lengthMax: Int, _ generator: inout SeededGenerator) -> Entry {
    let length = Int.random(in: 0...lengthMax, using: &generator)
    let count = generator.pick([length, length / cut.leafSize * cut.leafSize, lengthMax])
    return file((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }, &generator)
  }

  func file(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> Entry {
    var state = FileHashState(chunkSize: cut.chunkSize, leafSize: cut.leafSize)
    guard (try? state.feed(bytes.span.bytes)) != nil else { preconditionFailure("a drawn file is short") }
    let content = FileContent(length: UInt64(bytes.count), root: state.finish().file.root)
    return Entry(item: .file(content, isExecutable: generator.chance(0.5)), bytes: bytes)
  }
}
