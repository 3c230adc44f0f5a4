// The output of a download: its place is found out and prepared, written to, and at the end the file gets its name.
import Content
import Posix
import Storage
import Transfer
import Wire

/// The place of one download's bytes, and the work on it, which other threads do: they report to the download. Confined to
/// the control thread, which never waits for the disk.
final class DownloadOutput {
  /// A part file with the work that compares it with hashes and syncs it.
  struct Part {
    let file: any PartStorage
    /// The claims of an earlier download's journal.
    var resume = JournalResume()
    /// Nil in a part file that nothing was written to.
    var journal: DownloadJournal?
    /// Nil in a part file that is new.
    var resumer: DownloadResumer?
    /// The header of a journal, which tells what the part is; nil if it has a journal, or needs none.
    var label: [UInt8]?
  }

  enum Place {
    /// No manifest is verified yet, or the place is being prepared.
    case unknown
    /// The right file is there already.
    case found(FoundFile)
    case part(Part)
    case stream(StreamWriter)
  }

  /// For a listing: its place in the part folder.
  private(set) var target: DownloadTarget
  /// The part folder, if the contents of a folder are fetched.
  private var folder: PreparedPart?
  /// What a stream passes on.
  private let wanted: WantedLeaves
  private let entries: EntrySet?
  private let link: DownloadLink
  /// Run the look and the preparation.
  private let queues: OutputQueues
  /// Set while a job checks whether the file is complete already.
  private var look: ExistingOutputCheck?
  private var preparation: OutputPreparation?
  /// The right file, found before any peer was asked.
  private var foundEarly: (name: String, file: FoundFile)?
  private(set) var name = ""
  private(set) var place = Place.unknown
  private var streamedChunks = 0
  /// Pages of files that the disk has already.
  private(set) var knownPages: [HashPage] = []
  private var hasWritten = false
  /// Queues of its work that have not ended; nil before `stop`.
  private var queuesLeft: Int?
  /// Events that came too late for the journal's queue.
  private var late: [JournalEvent] = []
  /// The first thing that went wrong.
  private(set) var error: PartFileError?

  /// - `link`: of the download whose pieces it verifies and writes.
  /// - `contents`: if the contents of a folder are fetched.
  init(_ target: DownloadTarget, _ link: DownloadLink, _ contents: FolderContents? = nil) {
    self.target = target
    folder = contents?.part
    wanted = contents?.wanted ?? .all
    entries = contents?.entries
    self.link = link
    queues = OutputQueues(link.threads.disk)
  }

  var isStream: Bool { target.isStream }
  var part: (any PartStorage)? { if case .part(let part) = place { part.file } else { nil } }
  var found: FoundFile? { if case .found(let file) = place { file } else { nil } }
  /// The part file that stays if the download fails.
  var keptPath: String? { part.flatMap { hasWritten || $0.isResumed ? $0.path : nil } }

  private var journal: DownloadJournal? { if case .part(let part) = place { part.journal } else { nil } }
  private var resumer: DownloadResumer? { if case .part(let part) = place { part.resumer } else { nil } }

  // MARK: The place

  /// Whether a job looks for the file.
  var isLooking: Bool { look != nil }

  /// Starts to check whether the file is complete already, if its place is known.
  /// - `length`: of the file, in bytes; nil if it is not known.
  func startLook(_ length: UInt64?) {
    guard let early = ExistingOutputCheck(link.fileID, target, length: length) else { return }
    look = early
    early.start(on: queues, link)
  }

  /// The place was looked at. Returns the manifest of the file that is there.
  /// - `isNeeded`: whether no peer was faster.
  func looked(_ found: (name: String, file: FoundFile)?, isNeeded: Bool) -> Manifest? {
    look = nil
    guard let found, isNeeded else { return nil }
    foundEarly = found
    let tree = found.file.tree
    return Manifest(kind: found.file.kind, layout: tree.pages.layout, root: tree.root, suggestedName: found.name)
  }

  /// Makes the place ready. Returns the data that is there if it is known at once; else `prepared` follows.
  func prepare(_ manifest: Manifest) throws(PartFileError) -> Resumable? {
    if let foundEarly { return begin(.complete(name: foundEarly.name, foundEarly.file), manifest) }
    if let part = folder.take() { return begin(.part(part), manifest) }
    if target.isStream, manifest.kind != .folder {
      name = target.name(suggestedBy: manifest)
      link.beginVerifying(into: .stream(try openStream(manifest.layout)))
      return Resumable()
    }
    look?.stop()
    let storage = OutputPreparation(link.fileID, manifest, target)
    preparation = storage
    if manifest.kind == .folder { target = target.listing(of: link.fileID) }
    storage.start(on: queues, after: look != nil, link)
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
      (knownPages, resumable.pages) = (part.knownPages, part.knownPages.map(\.index))
      resumable.heldPages = part.resume.pages.map(\.index)
      resumable.holdsSharedChunks = part.file.isResumed && manifest.layout.folder != nil
    }
    return resumable
  }

  private func begin(_ prepared: PreparedPart, _ manifest: Manifest) {
    link.beginVerifying(into: .part(prepared.file))
    var part = Part(file: prepared.file, resume: prepared.resume)
    if prepared.journal == nil, manifest.kind != .folder, JournalHeader.isComponent(prepared.name) {
      part.label = JournalContents.opening(JournalHeader(manifest, name: prepared.name))
    }
    part.journal = DownloadJournal(
      JournalState(after: prepared.journal?.contents, in: manifest.layout), part: prepared.file,
      file: prepared.journal?.file, name: prepared.name, replaces: target.mayReplace, link)
    if prepared.file.isResumed {
      let resumer = DownloadResumer(prepared.file, manifest.layout, prepared.resume, link)
      if let folder = manifest.layout.folder { resumer.compareSharedChunks(of: folder) }
      for page in prepared.resume.pages { resumer.compare(page, from: nil) }
      part.resumer = resumer
    }
    place = .part(part)
  }

  private func openStream(_ layout: ChunkLayout) throws(PartFileError) -> OrderedStream {
    do throws(Errno) {
      let stream = OrderedStream(try target.openStream(), layout, wanted: wanted, entries: entries)
      place = .stream(StreamWriter(stream, chunkSize: layout.chunkSize, link: link))
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
  func wrote(_ mask: UInt64, of chunk: ChunkIndex, leafHashes: [Digest]?, at now: Instant) {
    hasWritten = true
    journal?.handle(.verified(chunk, mask: mask, leafHashes: leafHashes), at: now)
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
    let chunk = layout.chunkCount(below: offset)
    guard chunk > streamedChunks else { return nil }
    streamedChunks = chunk
    return .consumed(below: ChunkIndex(UInt32(chunk)))
  }

  /// The disk or the reader of the stream failed.
  func failed(_ error: PartFileError) { if self.error == nil { self.error = error } }

  // MARK: The end

  /// Every leaf is written. The disk takes the rest of the data while the work of the download ends.
  func completed(at now: Instant) { journal?.handle(.completed, at: now) }

  /// Ends all its work but that of a stream's writer, soon; `isAtRest` says when. Pieces that have arrived for a part file
  /// that is not complete are still verified and written.
  func stop(isComplete: Bool) {
    look.take()?.stop()
    preparation.take()?.stop()
    queuesLeft = OutputQueues.count + 1 + (resumer == nil ? 0 : 1) + (journal == nil ? 0 : 1)
    queues.close { [link] in link.send(.workEnded) }
    link.endVerifying(discarding: isComplete || isStream)
    resumer?.stop()
    journal?.stop()
  }

  /// After `stop`: whether no more reports come.
  var isAtRest: Bool { queuesLeft == 0 }

  /// A report that came after the brain had ended the download.
  func hearLate(_ message: DownloadMessage) {
    switch message {
    case .prepared(.success(.part(let prepared))): if case .unknown = place { place = .part(Part(file: prepared.file)) }
    case .verified(_, _, let chunk, _, let needed, let leafHashes, _):
      hasWritten = true
      late.append(.verified(chunk, mask: needed, leafHashes: leafHashes))
    case .journal(let event): late.append(event)
    case .writeFailed(let error): failed(error)
    case .workEnded: queuesLeft = queuesLeft.map { $0 - 1 }
    default: break
    }
  }

  /// All of a stream has come: `streamEnded` follows when its reader has taken it, however long that takes.
  func closeStream() { if case .stream(let stream) = place { stream.close() } }

  /// At rest, and after `streamEnded`: gives a part file its name. Nil: `finished` follows.
  /// - `reopens`: whether the output is read on under its name.
  func complete(length: UInt64, reopens: Bool, at now: Instant) throws(PartFileError) -> FinishedOutput? {
    switch place {
    case .unknown: preconditionFailure("a complete download has an output")
    case .found(let file): return FinishedOutput(path: file.path)
    case .part(let part):
      let (file, name, ending) = (part.file, name, part.journal?.placing(late, at: now))
      finish { () throws(PartFileError) in
        try ending?()
        return FinishedOutput(path: file.outputPath(name), file: reopens ? FinishedOutput.reopened(file, name) : nil)
      }
      return nil
    case .stream(let stream):
      place = .unknown
      try stream.stream.finish(length: length)
      return FinishedOutput(path: nil)
    }
  }

  /// Drops the data that a stream has not passed on.
  func abandonStream() {
    guard case .stream(let stream) = place else { return }
    place = .unknown
    stream.abandon()
  }

  /// At rest, after a failure: keeps verified data for a later download. False: there is none; else `finished` follows.
  func keep(at now: Instant) -> Bool {
    guard case .part(let part) = place else { return false }
    let isWorthless = !part.file.isResumed && !hasWritten
    let (file, label, ending) = (part.file, part.label, part.journal?.keeping(late, at: now))
    finish { () throws(PartFileError) in
      if isWorthless { try? file.discard() } else { try ending?() }
      if !isWorthless, let label { try? file.keepLabel(label) }
      return FinishedOutput(path: nil)
    }
    return true
  }

  /// The download is over. Loops may still have the part file for a moment, but another download can take it over.
  func release() { part?.release() }

  /// Runs the last job of the download.
  private func finish(_ job: @escaping @Sendable () throws(PartFileError) -> FinishedOutput) {
    link.threads.disk.queue().run { [link] in
      do throws(PartFileError) { link.send(.finished(.success(try job()))) } catch {
        link.send(.finished(.failure(error)))
      }
    }
  }
}
