// Rules of durability: what the journal may claim and when, what is never fetched again, when the output gets its name.
//
// As the rule book, this file calls nothing of the engine, except to read a journal back as the next process will. It
// parses batches with its own code and compares them with the platter.
import Content
import Transfer

/// The records of one getter's disk, over all its processes.
struct DurabilityRules {
  private let file: SimulatedFile
  private let wanted: WantedLeaves
  private let hasJournal: Bool
  /// Leaves that a synced journal claims and that are on the platter.
  private var kept: [UInt64]
  /// Claims appended since the last sync of the journal.
  private var appended: [ClaimedRun] = []

  // State of the current process.
  private var verified: [UInt64]
  private var knownHashes: Set<Int> = []
  /// Chunks whose leaf hashes are known from the start.
  private var provable: Set<Int> = []
  /// Leaves of chunks that were whole when the process began, and kept leaves. The process must not fetch them.
  private var present: [UInt64]
  /// What the journal claimed when the process began, and what of that was found. A sync of the journal keeps the
  /// latter.
  private var said: [UInt64]
  private var inherited: [UInt64]
  private var hasSynced = false
  private(set) var broken: String?

  init(_ file: SimulatedFile, wanted: WantedLeaves, hasJournal: Bool) {
    self.file = file
    self.wanted = wanted
    self.hasJournal = hasJournal
    kept = Array(repeating: 0, count: file.layout.chunkCount)
    verified = kept
    present = kept
    said = kept
    inherited = kept
    provable = Set(kept.indices.filter { provesLeaves($0) })
    knownHashes = provable
  }

  private mutating func breakRule(_ rule: String) { if broken == nil { broken = rule } }

  private func whole(_ chunk: Int) -> UInt64 { file.layout.leaves(of: ChunkIndex(UInt32(chunk))).mask }

  /// Whether each leaf of a chunk can be verified by itself: each file has one leaf, whose hash is the file's root.
  private func provesLeaves(_ chunk: Int) -> Bool {
    guard let folder = file.layout.folder else { return false }
    let number = ChunkIndex(UInt32(chunk))
    let runs = folder.runs(at: file.layout.offset(of: number), count: file.layout.length(of: number))
    // In a large file, a run need not begin or end where the file does.
    return runs.allSatisfy { folder.listing.fileLength(of: $0.entry) <= UInt64(file.layout.leafSize) }
  }

  private func range(_ leaf: Int, of chunk: Int) -> Range<Int> {
    let chunk = ChunkIndex(UInt32(chunk))
    let start = Int(file.layout.offset(ofLeaf: leaf, in: chunk))
    return start..<start + file.layout.length(of: LeafRange(first: leaf, count: 1), in: chunk)
  }

  private func isRight(_ bytes: [UInt8], _ leaf: Int, of chunk: Int) -> Bool {
    let range = range(leaf, of: chunk)
    return range.upperBound <= bytes.count && bytes[range] == file.bytes[range]
  }

  // MARK: A process

  /// A process has opened the part file and the journal. `part` is nil if the part file is new.
  mutating func begin(_ part: VirtualFile?, journal: [UInt8]) {
    verified = Array(repeating: 0, count: verified.count)
    knownHashes = provable
    appended = []
    hasSynced = false
    said = verified
    inherited = verified
    present = kept
    guard let part else { return }
    let claims = JournalClaims(journal: journal)
    for chunk in kept.indices {
      let right = (0..<whole(chunk).nonzeroBitCount).reduce(UInt64(0)) {
        isRight(part.bytes, $1, of: chunk) ? $0 | 1 << UInt64($1) : $0
      }
      if right == whole(chunk) { present[chunk] = right }
      for run in claims.runs where run.chunks.contains(chunk) { said[chunk] |= run.mask }
    }
  }

  /// Leaves were found on the disk. If they are not the whole chunk, their leaf hashes are known.
  mutating func found(_ mask: UInt64, of chunk: ChunkIndex) {
    verified[Int(chunk.rawValue)] |= mask
    inherited[Int(chunk.rawValue)] |= mask & said[Int(chunk.rawValue)]
    // A sync of the journal by this process has put the claims of earlier processes on the disk, too.
    if hasSynced { kept[Int(chunk.rawValue)] |= inherited[Int(chunk.rawValue)] }
    knownHashes.insert(Int(chunk.rawValue))
  }

  mutating func verified(_ mask: UInt64, of chunk: ChunkIndex, hasHashes: Bool) {
    verified[Int(chunk.rawValue)] |= mask
    if hasHashes { knownHashes.insert(Int(chunk.rawValue)) }
  }

  /// Needed leaves are requested.
  mutating func fetch(_ mask: UInt64, of chunk: ChunkIndex) {
    let index = Int(chunk.rawValue)
    if mask & kept[index] != 0 {
      breakRule("leaves of chunk \(index) that the journal claims are fetched again")
    }
    if mask & present[index] != 0 { breakRule("chunk \(index) is on the disk, and is fetched again") }
  }

  // MARK: The journal

  mutating func append(_ batch: [UInt8], to part: VirtualFile) {
    if !appended.isEmpty { breakRule("a batch is appended before the last is synced") }
    var claims = JournalClaims()
    guard claims.read(batch[...]) == batch.count else { return breakRule("a batch that cannot be read") }
    for run in claims.runs {
      for chunk in run.chunks where chunk < kept.count {
        for leaf in 0..<64 where run.mask & (1 << UInt64(leaf)) != 0 {
          if leaf >= whole(chunk).nonzeroBitCount {
            breakRule("leaf \(leaf) of chunk \(chunk) is claimed, which has none")
          } else if !isRight(part.platter, leaf, of: chunk) {
            breakRule("leaf \(leaf) of chunk \(chunk) is claimed and is not on the disk")
          }
        }
      }
      if run.chunks.upperBound > kept.count { breakRule("chunks are claimed that the file has not") }
    }
    appended = claims.runs
  }

  mutating func journalSynced(_ journal: VirtualFile?) {
    if !hasSynced, let journal, JournalContents(decoding: journal.platter)?.byteCount != journal.platter.count {
      breakRule("a batch is appended where nobody will read it")
    }
    hasSynced = true
    for run in appended { for chunk in run.chunks where chunk < kept.count { kept[chunk] |= run.mask & whole(chunk) } }
    for chunk in kept.indices { kept[chunk] |= inherited[chunk] }
    appended = []
  }

  mutating func syncsData() { if !appended.isEmpty { breakRule("data is synced before the last batch is") } }

  /// A byte of the part file changed by itself. Its whole chunk may have to be fetched again, because the leaf hashes
  /// of a whole chunk are not kept.
  mutating func rots(_ place: Int) { kept[file.layout.chunkCount(below: UInt64(place))] = 0 }

  // MARK: The end

  /// Nothing is in progress and no timer runs, or the process has ended by itself, with a disk that works: what was
  /// verified must be kept.
  mutating func rests() {
    guard hasJournal else { return }
    for chunk in kept.indices where verified[chunk] == whole(chunk) || knownHashes.contains(chunk) {
      if verified[chunk] & ~kept[chunk] != 0 { breakRule("leaves of chunk \(chunk) are verified and not kept") }
    }
  }

  mutating func place(_ part: VirtualFile) {
    if !file.isRight(part.platter, for: wanted) {
      breakRule("the output gets its name before its bytes are on the disk")
    }
  }

  mutating func finished(_ disk: VirtualDisk) {
    if disk[.output].map({ file.isRight($0.platter, for: wanted) }) != true {
      breakRule("a finished file has wrong bytes")
    }
    if !disk.isSynced(.output) { breakRule("the name of a finished file is not on the disk") }
    if disk[.part] != nil || disk[.journal] != nil { breakRule("a finished file leaves something behind") }
  }
}

/// A run of chunks with the same leaves of each.
private struct ClaimedRun {
  let chunks: Range<Int>
  let mask: UInt64
}

/// The leaves that a journal claims, record by record.
private struct JournalClaims {
  private(set) var runs: [ClaimedRun] = []

  init() {}

  /// Reads a journal whose torn end was cut off.
  init(journal: [UInt8]) {
    let nameLength = 90
    guard journal.count > nameLength else { return }
    var place = nameLength + 1 + Int(journal[nameLength]) + 32
    while place < journal.count, let length = read(journal[place...]) { place += length }
  }

  /// Reads one batch and returns its length. Nil if the bytes are not a batch.
  mutating func read(_ bytes: ArraySlice<UInt8>) -> Int? {
    var place = bytes.startIndex
    var end = bytes.endIndex
    func number(_ count: Int) -> UInt64? {
      guard place + count <= end else { return nil }
      defer { place += count }
      return bytes[place..<place + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
    guard let length = number(4), Int(length) + 32 <= end - place else { return nil }
    end = place + Int(length)
    while place < end {
      switch number(1) {
      case 1:
        guard number(4) != nil, let chunks = number(2) else { return nil }
        place += Int(chunks) * 32
        guard let uncles = number(1) else { return nil }
        place += Int(uncles) * 32
      case 2:
        guard let first = number(4), let count = number(4), let mask = number(8) else { return nil }
        runs.append(ClaimedRun(chunks: Int(first)..<Int(first + count), mask: mask))
      case 3:
        guard number(4) != nil, let hashes = number(1) else { return nil }
        place += Int(hashes) * 32
      case 4:
        guard let length = number(1) else { return nil }
        place += Int(length)
      default: return nil
      }
    }
    return place == end ? end + 32 - bytes.startIndex : nil
  }
}
