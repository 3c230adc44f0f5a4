// The two contents of a folder, one after the other: first its listing, then its files.
import Content
import Posix
import Sodium
import Storage
import Synchronization
import Transfer
import Wire

/// One download from its ID on. If the ID is that of a folder, the download of the listing stays, so that other peers get
/// it, until that of the files is over. Any thread may use it.
final class FolderDownload: Sendable {
  typealias Outcome = Result<DownloadResult, DownloadError>

  private let request: DownloadRequest
  private let download: Download
  private let context: NodeContext
  private let onEnd: @Sendable (Outcome) -> Void
  /// Set when the listing is there: the end of its download means nothing from then on.
  private let isListed = StopFlag()

  private init(
    _ request: DownloadRequest, _ download: Download, _ context: NodeContext,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    var request = request
    if request.target.isStream { request.target.scratchFolder = FolderDownload.scratchPath() }
    self.request = request
    self.download = download
    self.context = context
    self.onEnd = onEnd
  }

  /// Runs a download, also after a pause.
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
    let sharing = request.target.isStream ? nil : request.sharing  // of a stream nothing is kept
    began(link)
    let isAdded = context.threads.add(link) { connections, now in
      DownloadRun(
        link, length: request.length, peers: request.peers, target: request.target, on: context, over: connections,
        settings: request.settings, sharing: sharing, resolve: request.resolve, onUpdate: download.queue.put,
        onListed: request.folder.isListingOnly ? nil : { self.listed($0, by: link) }, at: now)
    } onEnd: { result in
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
    if request.target.isStream { removeScratch() }
    if download.stopped(outcome) { onEnd(outcome) }
  }

  // MARK: The listing of a stream

  /// A name in the folder for temporary files that nothing has.
  private static func scratchPath() -> String {
    "\(Environment.variable("TMPDIR") ?? "/tmp")/p2pnode-\(Environment.processID)-\(Random.uint64())"
  }

  private func removeScratch() {
    let target = request.target.listing(of: request.fileID)
    guard let folder = try? Directory(target.folder), let entries = try? folder.entries() else { return }
    for entry in entries { if let name = entry.text { try? folder.remove(name) } }
    FolderPart.removeEmptyPart(of: request.fileID, inFolder: request.target.scratchFolder)
    let scratch = PathParts(request.target.scratchFolder)
    try? Directory(scratch.folder).removeDirectory(scratch.name)
  }

  // MARK: The contents

  /// The listing is there. Called on the control thread.
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
    do throws(PartFileError) {
      if request.target.isStream { return try stream(layout, folder, listing) }
      let name = request.target.name(suggestedBy: folder.manifest)
      let part = try FolderPart(inFolder: request.target.folder, layout: layout)
      do throws(PartFileError) { try part.checkPlace(name, force: false) } catch {
        if !part.isResumed { try? part.discard() }
        throw error
      }
      guard layout.listing.contentsLength > 0 else { return try place(part, as: name, folder, listing) }
      let manifest = Manifest(
        kind: .folderContents, layout: ChunkLayout(layout), root: layout.listingRoot, suggestedName: name)
      let prepared = try PreparedPart(part, isResumed: part.isResumed, of: manifest, name: name)
      fetch(FolderContents(layout: layout, part: prepared, wanted: .all, peers: folder.peers), listing)
    } catch {
      throw .storage(error)
    }
  }

  private func stream(_ layout: FolderLayout, _ folder: ListedFolder, _ listing: DownloadLink) throws(PartFileError) {
    guard layout.listing.contentsLength == 0 else {
      return fetch(FolderContents(layout: layout, part: nil, wanted: .all, peers: folder.peers), listing)
    }
    let output: File
    do throws(Errno) { output = try request.target.openStream() } catch { throw .cannotCreate(error) }
    try OrderedStream(output, ChunkLayout(layout)).writeTail()
    finish(folder, listing, path: nil, name: request.target.name(suggestedBy: folder.manifest))
  }

  private func layout(of folder: ListedFolder) throws(DownloadError) -> FolderLayout {
    guard let bytes = ListingCache.bytes(at: folder.path, root: folder.manifest.root) else {
      throw .storage(.io(Errno(code: Errno.inputOutput, call: "read", subject: folder.path)))
    }
    do throws(FolderListingFault) {
      let layout = try FolderLayout(try FolderListing(decoding: bytes), root: folder.manifest.root)
      request.target.listings?.keep(layout.listing, of: request.fileID)
      return layout
    } catch {
      throw .badListing(error)
    }
  }

  /// No file has any bytes: nothing is fetched.
  private func place(
    _ part: FolderPart, as name: String, _ folder: ListedFolder, _ listing: DownloadLink
  ) throws(PartFileError) {
    try part.place(as: name, force: false)
    part.removeJournal()
    finish(folder, listing, path: part.outputPath(name), name: name)
  }

  private func finish(_ folder: ListedFolder, _ listing: DownloadLink, path: String?, name: String) {
    listing.cancel()
    let stats = DownloadStats(start: folder.stats.start, end: folder.stats.end)
    end(.success(DownloadResult(stats: stats, path: path, name: name, wasFound: false, kind: .folder)))
  }

  private func fetch(_ contents: FolderContents, _ listing: DownloadLink) {
    let (request, download, context) = (request, download, context)
    let link = DownloadRun.link(toContentsOf: contents.layout, of: context)
    began(link)
    let isAdded = context.threads.add(link) { connections, now in
      DownloadRun(
        link, length: nil, peers: request.peers, target: request.target, on: context, over: connections,
        settings: request.settings, sharing: request.target.isStream ? nil : request.sharing, contents: contents,
        resolve: request.resolve,
        onUpdate: download.queue.put, at: now)
    } onEnd: { result in
      listing.cancel()
      self.end(result)
    }
    guard isAdded else {
      listing.cancel()
      return onEnd(.failure(download.takeStoppedError()))
    }
    listing.send(.contentsBegan)
  }
}
