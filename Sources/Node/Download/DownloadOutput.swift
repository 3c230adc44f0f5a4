// The output of a download: its place is found out and prepared, written to, and at the end the file gets its name.
import Content
import Posix
import Storage
import Transfer
import Wire

/// The place of one download's bytes, and the threads that write them. Confined to the control thread; its
/// threads report to the mailbox of the download.
final class DownloadOutput {
  /// A part file with the threads that compare it with hashes and sync it.
  struct Part {
    let file: PartFile
    /// The claims of an earlier download's journal.
    var resume = JournalResume()
    /// Nil in a part file that nothing was written to.
    var journal: DownloadJournal?
    /// Nil in a part file that is new.
    var resumer: DownloadResumer?
  }

  enum Place {
    /// No manifest is verified yet, or the place is being prepared.
    case unknown
    /// The right file is there already.
    case found(FoundFile)
    case part(Part)
    case stream(StreamWriter)
  }

  private let target: DownloadTarget
  private let link: DownloadLink
  /// Set while a thread checks whether the file is complete already.
  private var look: (look: ExistingOutputCheck, thread: Thread)?
  private var preparation: (storage: OutputPreparation, thread: Thread)?
  /// The right file, found before any peer was asked.
  private var foundEarly: (name: String, file: FoundFile)?
  private(set) var name = ""
  private(set) var place = Place.unknown
  private var verifiers: VerifyPool?
  private var streamedChunks = 0
  private var hasWritten = false
  /// Events that came too late for the journal's thread.
  private var late: [JournalEvent] = []
  /// The first thing that went wrong.
  private(set) var error: PartFileError?

  /// - `link`: of the download whose pieces it verifies and writes.
  init(_ target: DownloadTarget, _ link: DownloadLink) {
    self.target = target
    self.link = link
  }

  var isStream: Bool { target.isStream }
  var part: PartFile? { if case .part(let part) = place { part.file } else { nil } }
  var found: FoundFile? { if case .found(let file) = place { file } else { nil } }
  /// The part file that stays if the download fails.
  var keptPath: String? { part.flatMap { hasWritten || $0.isResumed ? $0.path : nil } }

  private var journal: DownloadJournal? { if case .part(let part) = place { part.journal } else { nil } }
  private var resumer: DownloadResumer? { if case .part(let part) = place { part.resumer } else { nil } }

  // MARK: The place

  /// Whether a thread looks for the file.
  var isLooking: Bool { look != nil }

  /// Starts to check whether the file is complete already, if its place is known.
  /// - `length`: of the file, in bytes; nil if it is not known.
  func startLook(_ length: UInt64?) {
    guard let early = ExistingOutputCheck(link.fileID, target, length: length) else { return }
    look = (early, early.start(control: link.control))
  }

  /// The place was looked at. Returns the manifest of the file that is there.
  /// - `isNeeded`: whether no peer was faster.
  func looked(_ found: (name: String, file: FoundFile)?, isNeeded: Bool) -> Manifest? {
    look?.thread.join()
    look = nil
    guard let found, isNeeded else { return nil }
    foundEarly = found
    let tree = found.file.tree
    return Manifest(kind: .file, layout: tree.pages.layout, root: tree.root, suggestedName: found.name)
  }

  /// Makes the place ready. Returns the data that is there if it is known at once; else `prepared` follows.
  func prepare(_ manifest: Manifest) throws(PartFileError) -> Resumable? {
    if let foundEarly { return begin(.complete(name: foundEarly.name, foundEarly.file), manifest) }
    if target.isStream {
      name = target.name(suggestedBy: manifest)
      startVerifiers(.stream(try openStream(manifest.layout)))
      return Resumable()
    }
    let storage = OutputPreparation(link.fileID, manifest, target)
    preparation = (storage, storage.start(control: link.control))
    return nil
  }

  /// The place is ready. Returns the data that is there.
  func begin(_ prepared: PreparedStorage, _ manifest: Manifest) -> Resumable {
    var resumable = Resumable()
    switch prepared {
    case .complete(let name, let file):
      (self.name, place) = (name, .found(file))
      resumable.leaves = (0..<UInt32(manifest.layout.chunkCount)).map { (ChunkIndex($0), .max) }
    case .part(let part):
      name = part.name
      begin(part, manifest)
      resumable.heldPages = part.resume.pages.map(\.index)
    }
    return resumable
  }

  private func begin(_ prepared: PreparedPart, _ manifest: Manifest) {
    startVerifiers(.part(prepared.file))
    var part = Part(file: prepared.file, resume: prepared.resume)
    part.journal = DownloadJournal(
      JournalState(after: prepared.journal?.contents, in: manifest.layout), part: prepared.file,
      file: prepared.journal?.file, name: prepared.name, replaces: target.mayReplace, control: link.control)
    if prepared.file.isResumed {
      let resumer = DownloadResumer(prepared.file, manifest.layout, prepared.resume, control: link.control)
      for page in prepared.resume.pages { resumer.compare(page, from: nil) }
      part.resumer = resumer
    }
    place = .part(part)
  }

  private func startVerifiers(_ sink: VerifiedSink) {
    verifiers = VerifyPool(
      count: max(2, min(Thread.processorCount, 8)), jobs: link.jobs, sink: sink, blocks: link.blocks,
      control: link.control)
  }

  private func openStream(_ layout: ChunkLayout) throws(PartFileError) -> OrderedStream {
    do throws(Errno) {
      let stream = OrderedStream(try File.standardOutput(), leafSize: layout.leafSize)
      place = .stream(StreamWriter(stream, chunkSize: layout.chunkSize, control: link.control))
      return stream
    } catch {
      throw .cannotCreate(error)
    }
  }

  // MARK: While it is written

  var deadline: Instant? { journal?.deadline }

  func fire(at now: Instant) {
    if let deadline = journal?.deadline, now >= deadline { journal?.handle(.timerFired, at: now) }
  }

  /// Leaves were written; the journal claims them after the next sync.
  func wrote(_ leaves: LeafRange, of chunk: ChunkIndex, leafHashes: [Digest]?, at now: Instant) {
    hasWritten = true
    journal?.handle(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes), at: now)
  }

  func journal(_ events: [JournalEvent], at now: Instant) {
    for event in events { journal?.handle(event, at: now) }
  }

  /// A page came from a peer. True if the part file is first compared with it.
  /// - `isNew`: whether its hashes were not known before.
  func compares(_ page: HashPage, from id: ConnectionID, isNew: Bool, at now: Instant) -> Bool {
    journal?.handle(.page(page), at: now)
    guard isNew, let resumer else { return false }
    resumer.compare(page, from: id)
    return true
  }

  /// The leaf hashes of a chunk that an earlier download's journal knew.
  func journaledLeafHashes(of chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout) -> [Digest]? {
    guard case .part(let part) = place else { return nil }
    return part.resume.leafHashes(of: chunk, hash: hash, in: layout)
  }

  /// A stream has passed on all bytes below an offset. Its window moves on by whole chunks.
  func streamed(below offset: UInt64, in layout: ChunkLayout) -> DownloadEvent? {
    let chunk = offset >= layout.fileLength ? layout.chunkCount : Int(offset / UInt64(layout.chunkSize))
    guard chunk > streamedChunks else { return nil }
    streamedChunks = chunk
    return .consumed(below: ChunkIndex(UInt32(chunk)))
  }

  /// The disk or the reader of the stream failed.
  func failed(_ error: PartFileError) { if self.error == nil { self.error = error } }

  // MARK: The end

  /// Every leaf is written. The disk takes the rest of the data while the threads of the download end.
  func completed(at now: Instant) { journal?.handle(.completed, at: now) }

  /// Ends all its threads but the writer of a stream. Pieces that have arrived for a part file that is not complete are
  /// still verified and written.
  func stop(isComplete: Bool) {
    if let (early, thread) = look.take() {
      early.stop()
      thread.join()
    }
    if let (storage, thread) = preparation.take() {
      storage.stop()
      thread.join()
    }
    resumer?.stop()
    verifiers.take()?.stop(discarding: isComplete || isStream)
    link.jobs.close(discarding: true)
    journal?.stop()
  }

  /// A report of its threads that came after the brain had ended the download.
  func hearLate(_ message: DownloadMessage) {
    switch message {
    case .prepared(.success(.part(let prepared))): if case .unknown = place { place = .part(Part(file: prepared.file)) }
    case .verified(_, _, let chunk, let leaves, let leafHashes, _):
      hasWritten = true
      late.append(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes))
    case .journal(let event): late.append(event)
    case .writeFailed(let error): failed(error)
    default: break
    }
  }

  /// All of a stream has come: `streamEnded` follows when its reader has taken it, however long that takes.
  func closeStream() { if case .stream(let stream) = place { stream.close() } }

  /// After `stop` and `streamEnded`: gives a part file its name. Returns the path of the output; nil for a stream.
  func complete(length: UInt64, at now: Instant) throws(PartFileError) -> String? {
    switch place {
    case .unknown: preconditionFailure("a complete download has an output")
    case .found(let file): return file.path
    case .part(let part):
      try part.journal?.end(late, at: now)
      return part.file.outputPath(name)
    case .stream(let stream):
      place = .unknown
      stream.join()
      try stream.stream.finish(length: length)
      return nil
    }
  }

  /// Drops the data that a stream has not passed on.
  func abandonStream() {
    guard case .stream(let stream) = place else { return }
    place = .unknown
    stream.abandon()
  }

  /// After `stop` of a download that failed: keeps verified data for a later download.
  func keep(at now: Instant) throws(PartFileError) {
    guard case .part(let part) = place else { return }
    if !part.file.isResumed, !hasWritten {
      try? part.file.discard()
      return
    }
    try part.journal?.end(late + [.stopped], at: now)
  }
}
