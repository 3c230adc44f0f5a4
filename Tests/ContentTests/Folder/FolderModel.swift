// A second, slower implementation of folder layouts to compare with, and random trees.
@testable import Content

/// SplitMix64: the same seed gives the same numbers.
struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &self)] }
}

/// Files with their bytes, cut as `Protocol/README.md` says. Each chunk is a list of leaves.
struct FolderModel {
  struct Leaf: Equatable {
    let entry: Int
    let offset: Int
    let count: Int
  }

  let chunkSize: Int
  let leafSize: Int
  let chunksPerPage: Int
  let entries: [FolderEntry]
  /// The bytes of each entry that is a file. Empty for other entries.
  let files: [[UInt8]]
  let chunks: [[Leaf]]
  let sharedCount: Int
  /// The chunks of each page, as one range for each file.
  let pages: [[Range<Int>]]

  init(_ entries: [FolderEntry], _ files: [[UInt8]], chunkSize: Int, leafSize: Int, chunksPerPage: Int) {
    (self.entries, self.files) = (entries, files)
    (self.chunkSize, self.leafSize, self.chunksPerPage) = (chunkSize, leafSize, chunksPerPage)
    let leaves = files.indices.map { entry in
      stride(from: 0, to: files[entry].count, by: leafSize).map {
        Leaf(entry: entry, offset: $0, count: min(leafSize, files[entry].count - $0))
      }
    }
    let leavesPerChunk = chunkSize / leafSize
    var chunks: [[Leaf]] = []
    for file in leaves where !file.isEmpty && file.count <= leavesPerChunk {
      if let last = chunks.last, last.count + file.count <= leavesPerChunk {
        chunks[chunks.count - 1] += file
      } else {
        chunks.append(file)
      }
    }
    sharedCount = chunks.count
    var pages: [[Range<Int>]] = []
    var isPageShared = false
    for file in leaves where file.count > leavesPerChunk {
      let first = chunks.count
      for start in stride(from: 0, to: file.count, by: leavesPerChunk) {
        chunks.append(Array(file[start..<min(start + leavesPerChunk, file.count)]))
      }
      let count = chunks.count - first
      if count > chunksPerPage {
        for start in stride(from: first, to: chunks.count, by: chunksPerPage) {
          pages.append([start..<min(start + chunksPerPage, chunks.count)])
        }
        isPageShared = false
      } else if isPageShared, pages[pages.count - 1].reduce(0, { $0 + $1.count }) + count <= chunksPerPage {
        pages[pages.count - 1].append(first..<chunks.count)
      } else {
        pages.append([first..<chunks.count])
        isPageShared = true
      }
    }
    self.chunks = chunks
    self.pages = pages
  }

  /// All bytes of the contents in order, each with its file and its offset there.
  var contents: [(entry: Int, offset: Int, byte: UInt8)] {
    chunks.joined().flatMap { leaf in
      (leaf.offset..<leaf.offset + leaf.count).map { (leaf.entry, $0, files[leaf.entry][$0]) }
    }
  }

  func bytes(of chunk: Int) -> [UInt8] {
    chunks[chunk].flatMap { files[$0.entry][$0.offset..<$0.offset + $0.count] }
  }

  func leafHashes(of chunk: Int) -> [Digest] {
    chunks[chunk].map { sha256(Array(files[$0.entry][$0.offset..<$0.offset + $0.count])) }
  }

  /// Makes a page with its true hashes. Computes all hashes of its files again.
  func page(_ index: Int) -> HashPage {
    var hashes: [Digest] = []
    var uncles: [Digest] = []
    for range in pages[index] {
      let entry = chunks[range.lowerBound][0].entry
      let all = ReferenceTree.chunkHashes(of: files[entry], leafSize: leafSize, leavesPerChunk: chunkSize / leafSize)
        .map { Digest($0)! }
      let first = chunks[range.lowerBound][0].offset / chunkSize
      hashes += all[first..<first + range.count]
      guard all.count > chunksPerPage else { continue }
      let layout = ChunkLayout(fileLength: UInt64(files[entry].count), chunkSize: chunkSize, leafSize: leafSize)!
      let tree = HashTree(layout, chunkHashes: all, chunksPerPage: chunksPerPage)!
      uncles = tree.page(PageIndex(UInt32(first / chunksPerPage)))!.uncles
    }
    return HashPage(index: PageIndex(UInt32(index)), chunkHashes: hashes, uncles: uncles)
  }
}

extension FolderModel {
  /// Makes a tree of up to 100 entries of all types, with a few thousand bytes.
  static func random(_ generator: inout TestGenerator) -> FolderModel {
    let leafSize = generator.pick([1, 3, 16])
    let leaves = generator.pick([1, 2, 4, 8, 64])
    let chunkSize = leafSize * leaves
    let chunksPerPage = generator.pick([1, 2, 4, 8])
    let count = Int.random(in: 0...generator.pick([0, 3, 30, 100]), using: &generator)
    var paths: Set<[String]> = []
    for _ in 0..<count {
      let depth = Int.random(in: 1...3, using: &generator)
      paths.insert((0..<depth).map { _ in generator.pick(["a", "b", "a.b", "a b", "ab", "é", "z", "A", "0", "..a"]) })
    }
    // Keep paths below which no other entry lies.
    let free = paths.filter { path in !paths.contains { $0.count > path.count && Array($0[..<path.count]) == path } }
    let ordered = free.map { FolderPath($0.joined(separator: "/")) }.sorted()
    var (entries, files): ([FolderEntry], [[UInt8]]) = ([], [])
    var bytesLeft = 2000
    for path in ordered {
      var bytes: [UInt8] = []
      let item: FolderEntry.Item
      switch Int.random(in: 0..<12, using: &generator) {
      case 0: item = .emptyFolder
      case 1: item = .symbolicLink(target: FolderPath("there"))
      default:
        let leafCountMax = generator.pick([0, 1, 2, leaves, leaves, 4 * leaves, 16 * leaves])
        let length = Int.random(in: 0...min(leafCountMax * leafSize, bytesLeft), using: &generator)
        bytesLeft -= length
        bytes = someBytes(generator.pick([length, length / leafSize * leafSize]), seed: generator.next())
        let root = Digest(ReferenceTree.root(of: bytes, leafSize: leafSize))!
        let content = FileContent(length: UInt64(bytes.count), root: root)
        item = .file(content, isExecutable: Bool.random(using: &generator))
      }
      entries.append(FolderEntry(path, item))
      files.append(bytes)
    }
    return FolderModel(entries, files, chunkSize: chunkSize, leafSize: leafSize, chunksPerPage: chunksPerPage)
  }
}
