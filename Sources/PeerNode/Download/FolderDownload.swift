// Downloads a file, or the two contents of a folder one after the other: first its listing, then its files.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// A download of an ID that may name a file or a folder. The listing of a folder stays offered to other peers until the
/// download of its files has ended. Any thread may call it.
final class FolderDownload: Sendable {
  typealias Outcome = Result<DownloadResult, DownloadError>

  private let request: DownloadRequest
  /// The target, if the ID names a folder.
  private let target: DownloadTarget
  private let download: Download
  private let context: NodeContext
  private let onEnd: @Sendable (Outcome) -> Void
  /// Set when the listing is complete. The end of the listing's own download is then ignored.
  private let isListed = StopFlag()
  /// Set when the download of the listing has ended. The preparation of the contents then ends, too.
  private let isStopped = StopFlag()
  /// Set if the output existed before.
  private let hadOutput = StopFlag()

  private init(
    _ request: DownloadRequest, _ download: Download, _ context: NodeContext,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    var request = request
    request.target.updates = request.folder.updates || request.target.tree != nil
    if request.target.isStream || request.folder.isPlanOnly {
      request.target.scratchFolder = DownloadTarget.newScratchFolder()
    }
    self.request = request
    target = request.target.ofFolder
    self.download = download
    self.context = context
    self.onEnd = onEnd
  }

  /// Runs a download, from the start or after a pause.
  /// - `onEnd`: called once, on a thread that must not wait.
  static func run(
    _ request: DownloadRequest, _ download: Download, _ context: NodeContext,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    FolderDownload(request, download, context, onEnd: onEnd).run()
  }

  private func run() {
    let (request, download, context) = (request, download, context)
    let link = DownloadRun.link(to: request.fileID, of: context)
    let sharing = request.target.isStream ? nil : request.sharing  // a stream keeps nothing
    began(link)
    let isAdded = context.threads.add(link) { connections, now in
      DownloadRun(
        link, length: request.length, peers: request.peers, target: request.target, on: context, over: connections,
        settings: request.settings, sharing: sharing,
        isListingOnly: request.folder.isListingOnly || request.folder.isPlanOnly,
        resolve: request.resolve, onUpdate: download.queue.put,
        onListed: request.folder.isListingOnly ? nil : { self.listed($0, by: link) }, at: now)
    } onEnd: { result in
      self.isStopped.set()
      if !self.isListed.isSet { self.end(result) }
    }
    if !isAdded { onEnd(.failure(download.takeStoppedError())) }
  }

  private func began(_ link: DownloadLink) {
    let (request, download, context, onEnd) = (request, download, context, onEnd)
    download.began(
      link, restart: { FolderDownload.run(request, download, context, onEnd: onEnd) }, onEnd: onEnd)
  }

  private func end(_ outcome: Outcome) {
    request.target.removeScratchFolder(of: request.fileID)
    if download.stopped(outcome) { onEnd(outcome) }
  }

  // MARK: The contents

  /// Starts to prepare the contents when the listing is complete. Called on the control thread.
  private func listed(_ folder: ListedFolder, by listing: DownloadLink) {
    isListed.set()
    let queue = context.threads.disk.queue(isLong: true)
    queue.run {
      do throws(DownloadError) { try self.fetchContents(of: folder, listing) } catch {
        listing.cancel()
        self.end(.failure(error))
      }
    }
    queue.close(discarding: false) {}
  }

  private func fetchContents(of folder: ListedFolder, _ listing: DownloadLink) throws(DownloadError) {
    let layout = try layout(of: folder)
    let wanted = request.folder.filter.entries(of: layout.listing)
    guard !wanted.isEmpty || layout.listing.count == 0 else { throw .nothingWanted }
    do throws(PartFileError) {
      if request.folder.isPlanOnly { return try plan(layout, wanted, folder, listing) }
      if request.target.isStream { return try stream(layout, wanted, folder, listing) }
      let name = name(of: folder)
      guard let (part, missing, isRight) = try part(for: layout, wanted, name) else { return stop(folder, listing) }
      ListingCache.keepOutputName(name, inPart: part.path)
      var held = wanted
      held.subtract(missing)
      let leaves = WantedLeaves(of: missing, in: layout)
      let isHere = !missing.entries.contains { layout.listing.fileLength(of: $0) > 0 }
      if isHere, request.sharing?.stay == nil || layout.listing.contentsLength == 0 {
        return try place(part, isRight: isRight, as: name, layout, wanted, folder, listing)
      }
      let manifest = manifest(of: layout, name)
      let prepared = try PreparedPart(part, isResumed: part.isResumed, of: manifest, name: name)
      fetch(
        FolderContents(
          layout: layout, manifest: manifest, part: prepared, wanted: leaves, entries: wanted,
          held: WantedLeaves(of: held, in: layout), isHere: isHere,
          files: FolderFiles(layout, wanted: wanted, missing: missing, places: part.filePlaces),
          peers: folder.peers), listing)
    } catch {
      // Leaves nothing of the update in the output, unless an earlier update left a part.
      if hadOutput.isSet { FolderPart.removeListing(of: request.fileID, inFolder: target.partsFolder) }
      throw .storage(error)
    }
  }

  private func manifest(of layout: FolderLayout, _ name: String) -> Manifest {
    Manifest(kind: .folderContents, layout: ChunkLayout(layout), root: layout.listingRoot, suggestedName: name)
  }

  /// Returns the name of the output: the user's, else the suggested one.
  private func name(of folder: ListedFolder) -> String {
    target.name ?? target.name(suggestedBy: folder.manifest)
  }

  /// The options for an existing output.
  private var outputOptions: FolderUpdateOptions { request.folder.output(isNamed: target.name != nil) }

  /// Prepares the place. Returns it with the files to fetch, and whether the output needs no change; nil: the download
  /// was cancelled.
  private func part(
    for layout: FolderLayout, _ wanted: EntrySet, _ name: String
  ) throws(PartFileError) -> (any PartStorage, EntrySet, Bool)? {
    let isStopped = isStopped
    if let output = existingOutput(name) {
      hadOutput.set()
      let update = try FolderUpdate(output, to: layout, outputOptions) { isStopped.isSet }
      return update.map { ($0, $0.missingFiles, $0.changesNothing) }
    }
    let part = try FolderPart(inFolder: target.folder, layout: layout, wanted: wanted)
    do throws(PartFileError) {
      try part.checkPlace(name, force: false)
      var missing = EntrySet(entryCount: layout.listing.count)
      for entry in wanted.entries where layout.listing.isFile(entry) { missing.insert(entry) }
      if !request.folder.reusedFolders.isEmpty {
        guard let left = try part.copyFiles(outputOptions, shouldStop: { isStopped.isSet }) else {
          part.release()
          return nil
        }
        missing = left
      }
      return (part, missing, false)
    } catch {
      if !part.isResumed { try? part.discard() }
      throw error
    }
  }

  /// Returns the path of an existing folder at the place of the output; nil if there is none.
  private func existingOutput(_ name: String) -> String? {
    let path = PathParts(folder: target.folder, name: name).path
    return Directory.exists(path) ? path : nil
  }

  private func stop(_ folder: ListedFolder, _ listing: DownloadLink) {
    listing.cancel()
    end(.failure(.failed(.cancelled, folder.stats, part: nil)))
  }

  /// Reports what the download would do, and ends it.
  private func plan(
    _ layout: FolderLayout, _ wanted: EntrySet, _ folder: ListedFolder, _ listing: DownloadLink
  ) throws(PartFileError) {
    let name = name(of: folder)
    var plan = FolderPlan(new: layout, wanted: wanted)
    if let output = existingOutput(name) {
      let isStopped = isStopped
      let found = try FolderUpdate.plan(output, to: layout, outputOptions) { isStopped.isSet }
      guard let found else { return stop(folder, listing) }
      plan = found
    } else if (try? Directory(target.folder).status(of: name)) != nil {
      throw .occupied(path: PathParts(folder: target.folder, name: name).path, isFolder: false)
    }
    plan.outputPath = PathParts(folder: target.folder, name: name).path
    download.queue.put(.planned(plan))
    finish(folder, listing, path: nil, name: name)
  }

  private func stream(
    _ layout: FolderLayout, _ wanted: EntrySet, _ folder: ListedFolder, _ listing: DownloadLink
  ) throws(PartFileError) {
    let listed = layout.listing
    if wanted.entries.contains(where: { listed.isFile($0) && listed.fileLength(of: $0) > 0 }) {
      let contents = FolderContents(
        layout: layout, manifest: manifest(of: layout, name(of: folder)), part: nil,
        wanted: WantedLeaves(of: wanted, in: layout), entries: wanted,
        files: FolderFiles(layout, wanted: wanted, missing: wanted, places: nil), peers: folder.peers)
      return fetch(contents, listing)
    }
    let output: StreamOutput
    do throws(Errno) { output = try request.target.openStream() } catch {
      throw .cannotCreate(error)
    }
    try OrderedStream(output, ChunkLayout(layout), wanted: .none, entries: wanted).writeTail()
    finish(folder, listing, path: nil, name: name(of: folder))
  }

  private func layout(of folder: ListedFolder) throws(DownloadError) -> FolderLayout {
    guard let bytes = ListingCache.bytes(at: folder.path, root: folder.manifest.root) else {
      throw .storage(.io(Errno(code: Errno.inputOutput, call: "read", subject: folder.path)))
    }
    do throws(FolderListingFault) {
      let layout = try FolderLayout(try FolderListing(decoding: bytes), root: folder.manifest.root)
      // The listing's file is removed with the part folder, so the listing is offered from memory.
      folder.share.finish(ListingOutput(layout.listing))
      let name = folder.manifest.suggestedName
      request.target.listings?.keep(layout.listing, suggestedName: name, of: request.fileID)
      if !request.target.isStream { ListingCache.keepSuggestedName(name, besideListing: folder.path) }
      return layout
    } catch {
      FolderPart.removeListing(of: request.fileID, inFolder: target.partsFolder)
      throw .badListing(error)
    }
  }

  /// Finishes a folder of which no bytes are missing, without fetching.
  /// - `isRight`: whether the output existed and needed no change.
  private func place(
    _ part: any PartStorage, isRight: Bool, as name: String, _ layout: FolderLayout, _ wanted: EntrySet,
    _ folder: ListedFolder,
    _ listing: DownloadLink
  ) throws(PartFileError) {
    do throws(PartFileError) { try part.place(as: name, force: false) } catch {
      part.release()
      throw error
    }
    part.removeJournal()
    part.release()
    removeRest()
    let path = part.outputPath(name)
    let none = EntrySet(entryCount: layout.listing.count)
    let files = FolderFiles(layout, wanted: wanted, missing: none, places: FilePlaces(path))
    if let held = files.heldFiles { download.queue.put(.files(held)) }
    if isRight { download.queue.put(.found(path: path)) }
    finish(folder, listing, path: path, name: name, wasFound: isRight)
  }

  /// Removes files that an update leaves beside its output: its listing, if the output was not known when it was
  /// fetched, and leftovers of a download that stopped right after its output got its name. Others went with the part.
  private func removeRest() {
    guard hadOutput.isSet || target.updates else { return }
    if target.partsFolder == target.folder { FolderPart.removeListing(of: request.fileID, inFolder: target.folder) }
    FolderPart.removeLeftovers(of: request.fileID, inFolder: target.folder)
  }

  private func finish(
    _ folder: ListedFolder, _ listing: DownloadLink, path: String?, name: String, wasFound: Bool = false
  ) {
    listing.cancel()
    let stats = DownloadStats(start: folder.stats.start, end: folder.stats.end)
    end(.success(DownloadResult(stats: stats, path: path, name: name, wasFound: wasFound, kind: .folderContents)))
  }

  private func fetch(_ contents: FolderContents, _ listing: DownloadLink) {
    let (request, target, download, context) = (request, target, download, context)
    let link = DownloadRun.link(toContentsOf: contents.layout, of: context)
    began(link)
    let isAdded = context.threads.add(link) { connections, now in
      DownloadRun(
        link, length: nil, peers: request.peers, target: target, on: context, over: connections,
        settings: request.settings, sharing: request.target.isStream ? nil : request.sharing, contents: contents,
        resolve: request.resolve,
        onUpdate: download.queue.put, at: now)
    } onEnd: { result in
      listing.cancel()
      if case .success = result { self.removeRest() }
      self.end(result)
    }
    guard isAdded else {
      listing.cancel()
      return onEnd(.failure(download.takeStoppedError()))
    }
    listing.send(.contentsBegan)
  }
}
