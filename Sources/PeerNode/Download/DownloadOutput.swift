// The output of a download: finds and prepares its place, writes to it, and at the end gives the file its name.
import Content
import Posix
import Storage
import Transfer
import Wire

/// The place of one download's bytes. Other threads do the work on it and report to the download. Confined to the
/// control thread, which never waits for the disk.
final class DownloadOutput {
  /// A part file, with the work that compares it with hashes and syncs it.
  struct Part {
    let file: any PartStorage
    /// The claims of an earlier download's journal.
    var resume = JournalResume()
    /// Nil if the download ended while the place was being prepared.
    var journal: DownloadJournal?
    /// Nil if the part file is new.
    var resumer: DownloadResumer?
    /// A journal header that identifies the part file; nil if it has a journal, or needs none.
    var label: [UInt8]?
  }

  enum Place {
    /// No manifest is verified yet, or the place is not ready.
    case unknown
    /// The right file exists already.
    case found(FoundFile)
    case part(Part)
    case stream(StreamWriter)
  }

  /// The place of the output. For a listing, its place in the part folder.
  private(set) var target: DownloadTarget
  /// The part folder, if the contents of a folder are fetched.
  private var folder: PreparedPart?
  /// The leaves that a stream passes on.
  private let wanted: WantedLeaves
  private let entries: EntrySet?
  private let link: DownloadLink
  /// The queues for the check and the preparation.
  private let queues: OutputQueues
  /// The check whether the file is complete already; nil if none runs.
  private var look: ExistingOutputCheck?
  private var preparation: OutputPreparation?
  /// The right file, if the check found it before any peer was asked.
  private var foundEarly: (name: String, file: FoundFile)?
  private(set) var name = ""
  private(set) var place = Place.unknown
  private var streamedChunks = 0
  /// Verified pages that the disk has already.
  private(set) var knownPages: [HashPage] = []
  private var hasWritten = false
  /// The number of queues that have not ended; nil before `stop`.
  private var queuesLeft: Int?
  /// Journal events that came after the journal's queue was closed.
  private var late: [JournalEvent] = []
  /// The first error.
  private(set) var error: PartFileError?

  /// - `link`: the link of the download.
  /// - `contents`: given if the contents of a folder are fetched.
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
  /// The path of the part file that stays if the download fails.
  var keptPath: String? { part.flatMap { hasWritten || $0.isResumed ? $0.path : nil } }

  private var journal: DownloadJournal? { if case .part(let part) = place { part.journal } else { nil } }
  private var resumer: DownloadResumer? { if case .part(let part) = place { part.resumer } else { nil } }

  // MARK: The place

  /// Whether the check for a complete file runs.
  var isLooking: Bool { look != nil }

  /// Starts to check whether the file is complete already, if its place is known.
  /// - `length`: the length of the file in bytes; nil if it is not known.
  func startLook(_ length: UInt64?) {
    guard let early = ExistingOutputCheck(link.fileID, target, length: length) else { return }
    look = early
    early.start(on: queues, link)
  }

  /// Takes the result of the check. Returns the manifest of the file that it found.
  /// - `isNeeded`: false if a peer was faster.
  func looked(_ found: (name: String, file: FoundFile)?, isNeeded: Bool) -> Manifest? {
    look = nil
    guard let found, isNeeded else { return nil }
    foundEarly = found
    let tree = found.file.tree
    return Manifest(kind: found.file.kind, layout: tree.pages.layout, root: tree.root, suggestedName: found.name)
  }

  /// Prepares the place. Returns the existing data if it is known at once; nil: the message `prepared` will bring it.
  func prepare(_ manifest: Manifest) throws(PartFileError) -> Resumable? {
    let requested = target
    if manifest.kind == .folder { target = target.listing(of: link.fileID) }  // the stream is for the contents
    if let foundEarly { return begin(.complete(name: foundEarly.name, foundEarly.file), manifest) }
    if let part = folder.take() { return begin(.part(part), manifest) }
    if target.isStream {
      name = target.name(suggestedBy: manifest)
      link.beginVerifying(into: .stream(try openStream(manifest.layout)))
      return Resumable()
    }
    look?.stop()
    preparation = OutputPreparation(link.fileID, manifest, requested)
    preparation?.start(on: queues, after: look != nil, link)
    return nil
  }

  /// Starts to use a place that is ready. Returns its existing data.
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

  /// Notes leaves that were written. The journal claims them after the next sync.
  func wrote(_ mask: UInt64, of chunk: ChunkIndex, leafHashes: [Digest]?, at now: Instant) {
    hasWritten = true
    journal?.handle(.verified(chunk, mask: mask, leafHashes: leafHashes), at: now)
  }

  func journal(_ events: [JournalEvent], at now: Instant) {
    for event in events { journal?.handle(event, at: now) }
  }

  /// Takes a page from a peer. Returns true if the part file is compared with it first.
  /// - `isNew`: whether its hashes were unknown before.
  func compares(_ page: HashPage, from id: ConnectionID, isNew: Bool, at now: Instant) -> Bool {
    journal?.handle(.page(page), at: now)
    guard isNew, let resumer else { return false }
    resumer.compare(page, from: id)
    return true
  }

  /// Returns the leaf hashes of a chunk from the journal of an earlier download, if it has them.
  func journaledLeafHashes(of chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout) -> [Digest]? {
    guard case .part(let part) = place else { return nil }
    return part.resume.leafHashes(of: chunk, hash: hash, in: layout)
  }

  /// Notes that a stream has passed on all bytes below an offset. Its window moves by whole chunks.
  func streamed(below offset: UInt64, in layout: ChunkLayout) -> DownloadEvent? {
    let chunk = layout.chunkCount(below: offset)
    guard chunk > streamedChunks else { return nil }
    streamedChunks = chunk
    return .consumed(below: ChunkIndex(UInt32(chunk)))
  }

  /// Notes an error of the disk, or of the reader of the stream.
  func failed(_ error: PartFileError) { if self.error == nil { self.error = error } }

  // MARK: The end

  /// Notes that every leaf is written. The last sync begins while the other work ends.
  func completed(at now: Instant) { journal?.handle(.completed, at: now) }

  /// Asks all work except a stream's writer to end; `isAtRest` says when it has. For an incomplete part file, received
  /// pieces are still verified and written.
  func stop(isComplete: Bool) {
    look.take()?.stop()
    preparation.take()?.stop()
    queuesLeft = OutputQueues.count + 1 + (resumer == nil ? 0 : 1) + (journal == nil ? 0 : 1)
    queues.close { [link] in link.send(.workEnded) }
    link.endVerifying(discarding: isComplete || isStream)
    resumer?.stop()
    journal?.stop()
  }

  /// Whether all work has ended after `stop`, so that no more reports come.
  var isAtRest: Bool { queuesLeft == 0 }

  /// Takes a report that came after the state machine had ended the download.
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

  /// Ends a complete stream. `streamEnded` follows when the reader has read all of it, however long that takes.
  func closeStream() { if case .stream(let stream) = place { stream.close() } }

  /// Gives a part file its name, at rest or after `streamEnded`. Returns nil if `finished` will bring the result.
  /// - `reopens`: whether the output will still be read under its name.
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

  /// Drops data that a stream has not passed on.
  func abandonStream() {
    guard case .stream(let stream) = place else { return }
    place = .unknown
    stream.abandon()
  }

  /// Keeps verified data for a later download, at rest after a failure. Returns false if there is no part file; else
  /// `finished` follows.
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

  /// Releases the part file, so that another download can use it. Loops may still hold it for a moment.
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
