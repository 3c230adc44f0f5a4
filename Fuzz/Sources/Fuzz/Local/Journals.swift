// The journal beside a part file: raw bytes, or correctly chained batches with any content.
@testable import Content
@testable import Transfer
@testable import Wire

enum Journals {
  static let target = Target(
    "journal",
    seeds: { _ in
      let header = JournalContents.opening(JournalHeader(manifest, name: "a"))
      return [
        [0] + header, [0] + header + JournalContents.opening(JournalHeader(manifest, name: "b")),
        [1, 12, 4, 1, 0x78, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x0F], [3, 17, 2, 0, 0, 0, 3],
        [1, 20, 1, 0, 0, 0, 0, 0, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [1, 0xFD, 0, 0xFE, 1, 0xFC, 2, 0xFB, 0, 3, 7, 2, 9], [9, 0xFB, 1, 0xFD, 1, 0xFE, 2, 0xFC, 1],
      ]
    }, run)

  private static let file = TinyFile(length: 35, chunksPerPage: 2)
  private static let manifest = Manifest(kind: .file, layout: file.layout, root: file.tree.root, suggestedName: "a")

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    let journal = kind & 1 == 0 ? input.rest() : chained(&input, isCut: kind & 2 != 0)
    guard let contents = JournalContents(decoding: journal) else {
      let opening = JournalOpening(journal, isPartNew: false, of: manifest, name: "n", chunksPerPage: 2)
      return require(opening.keptByteCount == 0, "what is no journal is replaced")
    }
    require(contents.byteCount <= journal.count, "a journal ends within its bytes")
    require(JournalHeader.isComponent(contents.name), "a name is one component")
    let kept = JournalContents(decoding: Array(journal[..<contents.byteCount]))
    require(kept?.byteCount == contents.byteCount && kept?.name == contents.name, "its whole part reads the same")
    check(contents)
    open(journal, isPartNew: kind & 4 != 0)
    if kind & 8 != 0 { goOn(contents, Array(journal[..<contents.byteCount]), bytes) }
  }

  /// Makes batches of valid records, and batches of any bytes.
  private static func chained(_ input: inout Input, isCut: Bool) -> [UInt8] {
    let header = JournalHeader(manifest, name: "a").encoded()
    var (journal, checksum) = header
    while !input.isAtEnd {
      let records: [JournalRecord]
      switch input.u8() {
      case 0xFB: records = [.leafHashes(chunk(&input), file.leafHashes[0])]
      case 0xFC:
        let index = input.number(below: file.leafHashes.count)
        records = [.leafHashes(ChunkIndex(UInt32(index)), file.leafHashes[index])]
      case 0xFD:
        let page = file.tree.page(PageIndex(UInt32(input.number(below: file.tree.pages.pageCount))))!
        var hashes = page.chunkHashes
        if input.u8() & 1 == 1 { hashes.spoil(&input) }
        records = [.page(HashPage(index: page.index, chunkHashes: hashes, uncles: page.uncles))]
      case 0xFE: records = [.leaves(first: chunk(&input), count: UInt32(input.u8()), mask: input.u64())]
      case let count:
        // Any bytes, in a complete batch.
        var batch: [UInt8] = []
        let body = input.take(Int(count))
        batch.append(bigEndian: UInt32(body.count))
        batch += body
        checksum = Digest(sha256: (checksum.bytes + batch).span.bytes)
        journal += batch + checksum.bytes
        continue
      }
      let (bytes, next) = JournalBatch.encoded(records, after: checksum)
      journal += bytes
      checksum = next
    }
    return isCut ? Array(journal.dropLast(5)) : journal
  }

  private static func chunk(_ input: inout Input) -> ChunkIndex { ChunkIndex(UInt32(input.number(below: 12))) }

  private static func check(_ contents: JournalContents) {
    for (chunk, mask) in contents.claims(in: file.layout) {
      require(file.layout.contains(chunk), "claims are of chunks that the file has")
      require(mask & ~file.layout.leaves(of: chunk).mask == 0, "claims are of leaves that the chunk has")
    }
    guard let resume = contents.resume(of: manifest, chunksPerPage: 2) else { return }
    for page in resume.pages {
      require(page == file.tree.page(page.index), "only the file's own pages are believed")
      for onDisk in resume.chunks(of: page, in: file.tree.pages) {
        let due = file.leafHashes[Int(onDisk.chunk.rawValue)]
        require(onDisk.leafHashes ?? due == due, "only the chunk's own leaf hashes are believed")
        require(
          onDisk.verifiedLeaves(due, in: file.layout) == file.layout.leaves(of: onDisk.chunk).mask, "the truth counts")
        var spoilt = due
        spoilt[0] = .zero
        require(onDisk.verifiedLeaves(spoilt, in: file.layout) & 1 == 0, "a leaf that is wrong does not count")
      }
    }
  }

  private static func open(_ journal: [UInt8], isPartNew: Bool) {
    let opening = JournalOpening(journal, isPartNew: isPartNew, of: manifest, name: "n", chunksPerPage: 2)
    require(opening.keptByteCount <= journal.count, "what stays was there")
    require(!isPartNew || opening.keptByteCount == 0, "the journal of another part file is replaced")
    let next = JournalContents(decoding: Array(journal[..<opening.keptByteCount]) + opening.appended)
    require(
      next?.name == "n" && next?.byteCount == opening.contents.byteCount, "the next journal reads as it was opened")
  }

  /// Continues a download. What the journal then claims was claimed before, or was verified and synced.
  private static func goOn(_ contents: JournalContents, _ before: [UInt8], _ decisions: [UInt8]) {
    guard contents.header.belongs(to: manifest) else { return }
    var input = Input(decisions.reversed())
    var state = JournalState(after: contents, in: file.layout)
    var (journal, allowed) = (before, contents.claims(in: file.layout))
    var now = Instant.zero
    for _ in 0..<16 where !input.isAtEnd {
      now = now + .milliseconds(Int64(input.u8()) * 40)
      let chunk = chunk(&input)
      let mask = UInt64(input.u8() & 15)
      let isKnown = file.layout.contains(chunk)
      switch input.u8() & 3 {
      case 0: state.handle(.timerFired, at: now)
      case 1: state.handle(.held(chunk, mask: mask & allowed[chunk, default: 0]), at: now)
      default:
        let hashes = isKnown ? file.leafHashes[Int(chunk.rawValue)] : nil
        state.handle(.verified(chunk, mask: mask, leafHashes: mask & 1 == 0 ? hashes : nil), at: now)
        if isKnown { allowed[chunk, default: 0] |= mask & file.layout.leaves(of: chunk).mask }
      }
      drain(&state, &journal, at: now)
    }
    state.handle(.stopped, at: now)
    drain(&state, &journal, at: now)
    require(state.isOver, "a stopped journal comes to its end")
    let after = JournalContents(decoding: journal)
    require(after?.byteCount == journal.count, "what was appended reads whole")
    for (chunk, mask) in after!.claims(in: file.layout) {
      require(mask & ~allowed[chunk, default: 0] == 0, "nothing is claimed that was not verified")
    }
  }

  private static func drain(_ state: inout JournalState, _ journal: inout [UInt8], at now: Instant) {
    while let action = state.nextAction() {
      switch action {
      case .syncData: state.handle(.dataSynced, at: now)
      case .append(let bytes): journal += bytes
      case .syncJournal: state.handle(.journalSynced, at: now)
      case .place, .syncFolder: break
      case .removeJournal: state.handle(.placed, at: now)
      }
    }
  }
}
