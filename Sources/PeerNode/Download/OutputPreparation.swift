// Prepares the place of a download before any chunk is requested, in a job that may wait for the disk.
import Content
import Posix
import Storage
import Transfer

/// The place that a download writes to.
enum PreparedStorage: Sendable {
  /// The output exists already and is the right file.
  case complete(name: String, FoundFile)
  case part(PreparedPart)
}

/// A part file, with a journal if it is long enough to need one.
struct PreparedPart: Sendable {
  let file: any PartStorage
  let name: String
  let journal: (file: JournalFile, contents: JournalContents)?
  /// The claims of an earlier download's journal.
  let resume: JournalResume
  /// Verified pages of files that the disk has already, without those in the journal.
  var knownPages: [HashPage] = []
}

/// Chooses the name, checks whether the file is complete already, and opens part file and journal.
final class OutputPreparation: Sendable {
  private let fileID: FileID
  private let manifest: Manifest
  private let target: DownloadTarget
  /// For a listing: the folder in which its part folder lies.
  private let outer: String?
  private let scratch: String?
  private let isStopped = StopFlag()

  /// - `target`: the target of the file, or of the folder if the manifest is of its listing.
  init(_ fileID: FileID, _ manifest: Manifest, _ target: DownloadTarget) {
    self.fileID = fileID
    self.manifest = manifest
    let isListing = manifest.kind == .folder
    self.target = isListing ? target.listing(of: fileID) : target
    outer = isListing ? target.ofFolder.partsFolder : nil
    scratch = isListing && !target.scratchFolder.isEmpty ? target.scratchFolder : nil
  }

  /// Starts the job, which sends `prepared`.
  /// - `look`: whether a check of the same place still runs. Then this job runs after it.
  func start(on queues: OutputQueues, after look: Bool, _ link: DownloadLink) {
    let job: DiskPool.Job = {
      let result: Result<PreparedStorage, PartFileError>
      do throws(PartFileError) { result = .success(try self.run()) } catch { result = .failure(error) }
      link.send(.prepared(result))
    }
    if look { return queues.runLast(job) }
    queues.run(
      isLong: { PartFile.isHashed(self.chosenName(), inFolder: self.target.folder, length: self.manifest.length) }, job)
  }

  /// Asks the job to end soon. The caller ignores its result.
  func stop() { isStopped.set() }

  private func run() throws(PartFileError) -> PreparedStorage {
    if let scratch {
      do throws(Errno) { try Directory.make(scratch, mode: 0o700) } catch { throw .cannotCreate(error) }
    }
    if let outer { try FolderPart.makePart(of: fileID, inFolder: outer) }
    let name = chosenName()
    let place = try PartFile.content(
      of: name, inFolder: target.folder, fileID: fileID, kind: manifest.kind, length: manifest.length
    ) {
      self.isStopped.isSet
    }
    switch place {
    case .wanted(let file): return .complete(name: name, file)
    case .other(let path, let kind):
      if let error = PartFileError(taken: path, by: kind, force: target.mayReplace) { throw error }
    case .nothing: break
    }
    let file = try PartFile(inFolder: target.folder, fileID: fileID, length: manifest.length)
    do throws(PartFileError) {
      try file.checkPlace(name, force: target.mayReplace)
      return .part(try part(file, name))
    } catch {
      if !file.isResumed { try? file.discard() }
      if let outer { FolderPart.removeEmptyPart(of: fileID, inFolder: outer) }
      throw error
    }
  }

  /// Returns the name of the output: the user's, else that of an earlier download, else the suggested one.
  private func chosenName() -> String {
    if let name = target.name { return name }
    let journal = JournalContents(decoding: JournalFile.peek(inFolder: target.folder, fileID: fileID))
    if let journal, journal.resume(of: manifest) != nil { return journal.name }
    return target.name(suggestedBy: manifest)
  }

  private func part(_ file: PartFile, _ name: String) throws(PartFileError) -> PreparedPart {
    try PreparedPart(file, isResumed: file.isResumed, of: manifest, name: name)
  }
}

extension PreparedPart {
  /// Opens the journal of a part, if the content is long enough to need one.
  init(_ part: any PartStorage, isResumed: Bool, of manifest: Manifest, name: String) throws(PartFileError) {
    guard JournalOpening.isNeeded(for: manifest, name: name, JournalSettings()) else {
      self.init(file: part, name: name, journal: nil, resume: JournalResume())
      keepKnownPages(of: manifest)
      return
    }
    let journal = try part.openJournal()
    let opening = JournalOpening(try journal.bytes(), isPartNew: !isResumed, of: manifest, name: name)
    try journal.truncate(to: opening.keptByteCount)
    if !opening.appended.isEmpty { try journal.append(opening.appended) }
    self.init(file: part, name: name, journal: (journal, opening.contents), resume: opening.resume)
    keepKnownPages(of: manifest)
  }

  private mutating func keepKnownPages(of manifest: Manifest) {
    let journaled = Set(resume.pages.map(\.index))
    knownPages = file.knownPages.filter { page in
      (try? page.verify(against: manifest.root, in: PageLayout(manifest.layout))) != nil
        && !journaled.contains(page.index)
    }
  }
}

extension DownloadTarget {
  /// Returns a safe name of one component: the suggestion of the request, else the peer's, else the start of the
  /// fileID.
  func name(suggestedBy manifest: Manifest) -> String {
    suggestedName.flatMap(SuggestedName.sanitised) ?? manifest.fileName ?? String(manifest.fileID.hex.prefix(16))
  }
}
