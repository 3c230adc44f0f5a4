// What a getter process does to its disk. It performs what JournalState decides, as the node's threads do.
import Content
import Transfer
import Wire

/// The part file and the journal of one process. What it has done to the disk outlives it.
final class GetterStorage {
  private let process: GetterProcess
  private let getter: Getter
  private let world: World
  private let file: SimulatedFile
  private let plan: GetterPlan
  private let pages: PageLayout

  private var part: VirtualFile?
  /// Nil if the output is a file.
  private var stream: SimulatedStream?
  private(set) var isResumed = false
  private(set) var resume = JournalResume()
  private var journal: JournalState?
  private var journalFile: VirtualFile?
  private var timer: Instant?
  /// The actions that the journal's thread still has to perform, in order.
  private var queued: [JournalAction] = []
  private var isAtWork = false
  /// Results of the thread that the process has not received yet.
  private var unheardCount = 0
  private var hasSynced = false
  private(set) var hasFailed = false
  private var hasWritten = false
  private var isEnding = false
  private var whenOver: (() -> Void)?

  init(_ process: GetterProcess, _ getter: Getter, pages: PageLayout) {
    self.process = process
    self.getter = getter
    self.pages = pages
    world = getter.world
    file = getter.file
    plan = getter.scenario.getter
  }

  private var disk: VirtualDisk { getter.disk }
  private var wanted: WantedLeaves { getter.scenario.settings.wanted }
  private var length: Int { Int(file.layout.fileLength) }
  private var name: String { plan.renames ? "file\(getter.processCount)" : "file" }

  // MARK: Preparing

  func prepare() {
    guard !process.isDead, !isEnding else { return }
    if getter.scenario.settings.isStream {
      part = VirtualFile(byteCount: length)
      stream = SimulatedStream(
        file, wanted: wanted, pausesAt: plan.readerPause.map { UInt64($0.after * Double(length)) })
      return process.handle(.storageReady(Resumable()))
    }
    if let output = disk[.output] { return found(output) }
    let (part, isNew) = disk.open(.part, byteCount: length)
    self.part = part
    isResumed = !isNew
    var contents: JournalContents?
    if JournalOpening.isNeeded(for: file.manifest, name: name, plan.journal) {
      guard let opening = openJournal(isPartNew: isNew) else {
        hasFailed = true
        return process.handle(.writeFailed)
      }
      (contents, resume) = (opening.contents, opening.resume)
    }
    getter.hold { $0.begin(isNew ? nil : part, journal: journalFile?.bytes ?? []) }
    journal = JournalState(after: contents, in: file.layout, settings: plan.journal)
    let shared = sharedChunks(from: 0)
    process.handle(
      .storageReady(Resumable(heldPages: resume.pages.map(\.index), holdsSharedChunks: !shared.isEmpty)))
    if !shared.isEmpty { compareShared(shared, before: shared.count) }
    if isResumed { for page in resume.pages { compare(page, from: nil) } }
  }

  /// An earlier process gave the output its name but ended before it could report that.
  private func found(_ output: VirtualFile) {
    if !file.isRight(output.bytes, for: wanted) { world.violate("what has the output's name is not the file") }
    output.endSync(output.beginSync())
    disk.syncNames()
    for name in [VirtualDisk.Name.part, .journal] { disk.remove(name) }
    let chunks = (0..<UInt32(file.layout.chunkCount)).map { ChunkIndex($0) }
    process.handle(.storageReady(Resumable(leaves: chunks.map { ($0, wanted.mask(of: $0)) })))
  }

  private func openJournal(isPartNew: Bool) -> JournalOpening? {
    let journalFile = disk.open(.journal, byteCount: 0).file
    self.journalFile = journalFile
    let opening = JournalOpening(
      journalFile.bytes, isPartNew: isPartNew, of: file.manifest, name: name, chunksPerPage: pages.chunksPerPage)
    journalFile.truncate(to: opening.keptByteCount)
    do throws(VirtualDisk.Failure) {
      if !opening.appended.isEmpty {
        try disk.write(opening.appended, to: journalFile, at: journalFile.bytes.count)
      }
      return opening
    } catch {
      return nil
    }
  }

  /// Returns the next shared chunks: so few at a time that even a small folder takes several rounds.
  private func sharedChunks(from first: Int) -> [ChunkOnDisk] {
    isResumed ? file.layout.folder.map { resume.sharedChunks(of: $0, from: first, countMax: 2) } ?? [] : []
  }

  /// - `next`: the number of shared chunks up to the end of these.
  private func compareShared(_ chunks: [ChunkOnDisk], before next: Int) {
    compare(chunks) { [self] leaves in
      let rest = sharedChunks(from: next)
      process.comparedShared(leaves, isLast: rest.isEmpty)
      if !rest.isEmpty { compareShared(rest, before: next + rest.count) }
    }
  }

  /// Compares a page's chunks with the part file.
  func compare(_ page: HashPage, from id: ConnectionID?) {
    compare(resume.chunks(of: page, in: pages)) { [process] in process.compared(page, $0, from: id) }
  }

  private func compare(_ chunks: [ChunkOnDisk], then tell: @escaping ([(chunk: ChunkIndex, mask: UInt64)]) -> Void) {
    world.after(plan.diskDelay) { [self] in
      guard !process.isDead, !isEnding, let part else { return }
      let leaves = chunks.compactMap { chunk -> (chunk: ChunkIndex, mask: UInt64)? in
        let mask = verifiedLeaves(chunk, in: part)
        return mask == 0 ? nil : (chunk.chunk, mask)
      }
      world.after(plan.mailboxDelay) { [self] in
        guard !process.isDead, !isEnding else { return }
        for event in JournalEvent.found(leaves, among: chunks) { handle(event) }
        for (chunk, mask) in leaves { getter.hold { $0.found(mask, of: chunk) } }
        tell(leaves)
      }
    }
  }

  private func verifiedLeaves(_ known: ChunkOnDisk, in part: VirtualFile) -> UInt64 {
    let start = Int(file.layout.offset(of: known.chunk))
    let range = start..<start + file.layout.length(of: known.chunk)
    guard known.isToBeRead(part.presence(range)) else { return 0 }
    let bytes = Array(part.bytes[range])
    return known.verifiedLeaves(file.layout.leafHashes(bytes.span.bytes, of: known.chunk), in: file.layout)
  }

  // MARK: Writing

  /// Writes the needed bytes of a verified piece. Returns false if the disk is full or fails.
  func write(_ bytes: [UInt8], of piece: FetchedPiece) -> Bool {
    guard let part else { return false }
    if !file.has(bytes, at: Int(piece.fileOffset)) { world.violate("bytes are written at a wrong place") }
    do throws(VirtualDisk.Failure) {
      for kept in piece.neededParts {
        try disk.write(Array(bytes[kept.bytes]), to: part, at: Int(kept.fileOffset))
        putInStream(Array(bytes[kept.bytes]), at: kept.fileOffset)
      }
      hasWritten = true
      if let broken = stream?.broken { world.violate(broken) }
      return true
    } catch {
      hasFailed = true
      return false
    }
  }

  /// The offset below which the reader of a stream has taken all wanted bytes.
  var passedOnBelow: UInt64? { stream?.passedOnBelow }

  /// The process learns that a piece is written.
  func verified(_ piece: FetchedPiece) {
    guard !process.isDead else { return }
    getter.hold { $0.verified(piece.needed, of: piece.chunk, hasHashes: piece.chunkLeafHashes != nil) }
    handle(.verified(piece.chunk, mask: piece.needed, leafHashes: piece.chunkLeafHashes))
  }

  func arrived(_ page: HashPage) { handle(.page(page)) }

  private func putInStream(_ bytes: [UInt8], at offset: UInt64) {
    guard stream != nil else { return }
    let wasPaused = stream!.isPaused
    stream!.put(bytes, at: offset)
    guard !wasPaused, stream!.isPaused, let pause = plan.readerPause else { return }
    world.note("the stream's reader stops for \(pause.time)")
    world.after(pause.time) { [self] in
      stream!.resume()
      if !process.isDead { process.readerTook(below: stream!.passedOnBelow) }
    }
  }

  // MARK: The journal

  private func handle(_ event: JournalEvent) {
    guard !process.isDead, journal != nil else { return }
    journal!.handle(event, at: world.time)
    while let action = journal!.nextAction() { queued.append(action) }
    work()
    setTimer()
    checkRest()
    if journal!.isOver, let over = whenOver {
      whenOver = nil
      over()
    }
  }

  /// If the disk holds only claims of an earlier process, they need not be synced soon.
  private func checkRest() {
    guard let journal, !journal.isOver, journal.deadline == nil, !isAtWork, unheardCount == 0, hasSynced, !hasFailed
    else { return }
    getter.hold { $0.rests() }
  }

  private func setTimer() {
    guard let deadline = journal?.deadline, timer != deadline else { return }
    timer = deadline
    world.at(deadline) { [self] in
      guard timer == deadline, !process.isDead else { return }
      timer = nil
      handle(.timerFired)
    }
  }

  /// Starts the journal thread's next action. Its result is known after the time that it takes.
  private func work() {
    guard !isAtWork, !queued.isEmpty, let part else { return }
    isAtWork = true
    let action = queued.removeFirst()
    world.note("journal does \(action.name)")
    switch action {
    case .syncData:
      getter.hold { $0.syncsData() }
      let sync = part.beginSync()
      later(syncDelay) { () throws(VirtualDisk.Failure) in
        try self.disk.sync(part, sync, &self.world.generator)
        return .dataSynced
      }
    case .append(let bytes):
      later(plan.diskDelay) { () throws(VirtualDisk.Failure) in
        if let file = self.journalFile { try self.disk.write(bytes, to: file, at: file.bytes.count) }
        self.getter.hold { $0.append(bytes, to: part) }
        return nil
      }
    case .syncJournal:
      let sync = journalFile?.beginSync()
      later(syncDelay) { () throws(VirtualDisk.Failure) in
        if let sync, let file = self.journalFile { try self.disk.sync(file, sync, &self.world.generator) }
        self.disk.syncNames()
        self.hasSynced = true
        self.getter.hold { $0.journalSynced(self.journalFile) }
        return .journalSynced
      }
    case .place:
      later(plan.diskDelay) { () throws(VirtualDisk.Failure) in
        self.getter.hold { $0.place(part) }
        self.disk.place()
        return nil
      }
    case .syncFolder:
      later(syncDelay) { () throws(VirtualDisk.Failure) in
        self.disk.syncNames()
        return nil
      }
    case .removeJournal:
      later(plan.diskDelay) { () throws(VirtualDisk.Failure) in
        self.disk.remove(.journal)
        return .placed
      }
    }
  }

  private var syncDelay: Duration {
    let most = plan.syncDelay.wholeNanoseconds
    return .nanoseconds(Int64.random(in: most / 4...most, using: &world.generator))
  }

  private func later(
    _ delay: Duration, _ perform: @escaping () throws(VirtualDisk.Failure) -> JournalEvent?
  ) {
    world.after(delay) { [self] in
      guard !process.isDead else { return }
      isAtWork = false
      do throws(VirtualDisk.Failure) {
        if let event = try perform() { tell(event) }
        work()
      } catch {
        world.note("journal fails: \(error)")
        hasFailed = true
        queued = []
        world.after(plan.mailboxDelay) { [self] in
          handle(.failed)
          process.handle(.writeFailed)
        }
      }
    }
  }

  private func tell(_ event: JournalEvent) {
    unheardCount += 1
    world.after(plan.mailboxDelay) { [self] in
      unheardCount -= 1
      handle(event)
    }
  }

  // MARK: The end

  /// The download has ended. Puts the disk in its final state, then calls `over`.
  func end(isComplete: Bool, then over: @escaping () -> Void) {
    isEnding = true
    if isComplete, stream?.isOver == false { world.violate("a finished stream lacks wanted bytes") }
    if !isComplete, part != nil, !isResumed, !hasWritten {
      disk.remove(.journal)
      disk.remove(.part)
      return over()
    }
    guard journal != nil else { return over() }
    whenOver = { [self] in
      if !isComplete, !hasFailed { getter.hold { $0.rests() } }
      over()
    }
    handle(isComplete ? .completed : .stopped)
  }
}
