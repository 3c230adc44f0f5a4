// Everything that a node offers: the files of its folders, and the files that it downloads.
import Content
import Storage
import Synchronization
import Transfer
import Wire

/// The folders and downloads of a node whose contents peers may open. Any thread may call it.
final class OfferedContents: Sendable {
  private struct State {
    /// In the order in which they were added.
    var folders: [FolderShare] = []
    var downloads: [FileID: DownloadShare] = [:]
  }
  private let state = Mutex(State())

  // MARK: Folders

  func add(_ folder: FolderShare) { state.withLock { $0.folders.append(folder) } }

  func remove(_ folder: FolderShare) { state.withLock { $0.folders.removeAll { $0 === folder } } }

  var folders: [FolderShare] { state.withLock { $0.folders } }

  /// Whether files are still being hashed: a file that is not found now may be served later.
  var isScanning: Bool { folders.contains { $0.isScanning } }

  /// The number of files that are served now, and their bytes. Each of several files with equal contents counts.
  var served: (files: Int, bytes: UInt64) {
    folders.reduce((0, 0)) { sum, folder in
      let served = folder.catalogue.served
      return (sum.0 + served.files, sum.1 + served.bytes)
    }
  }

  /// Returns whether a folder has a file with this ID now, or has this ID itself.
  func has(_ fileID: FileID) -> Bool {
    folders.contains { folder in
      folder.catalogue.entry(fileID) != nil || folder.catalogue.listings.newest.contains { $0.folderID == fileID }
    }
  }

  /// Returns a served file that has these bytes now.
  func entry(of content: FileContent) -> (CatalogueEntry, FolderShare)? {
    for folder in folders { if let entry = folder.catalogue.entry(of: content) { return (entry, folder) } }
    return nil
  }

  /// Returns the folder contents that have this ID. May wait for the disk.
  func contents(_ fileID: FileID, bucket: UInt16) -> OpenContents? {
    for folder in folders {
      for listed in folder.catalogue.listings.candidates(bucket: bucket)
      where listed.fileID == fileID && listed.kind == .folderContents {
        if case .contents(let open)? = source(listed, of: folder) { return open }
      }
    }
    return nil
  }

  /// A number that grows whenever a folder gains or loses a content.
  var changeCount: UInt64 { folders.reduce(0) { $0 &+ $1.catalogue.changeCount } }

  /// Returns the source of a listing or of its contents; nil if the listing cannot be read. May wait for the disk.
  func source(_ listed: ListedContent, of folder: FolderShare) -> ServedSource? {
    guard let loaded = try? folder.catalogue.listings.load(listed.listing) else { return nil }
    if listed.kind == .folder {
      return .listing(OpenListing(listing: listed.listing, loaded: loaded, share: folder))
    }
    return .contents(OpenContents(listed.listing, loaded, folder))
  }

  /// Returns a served file that has this ID now.
  func entry(_ fileID: FileID) -> (CatalogueEntry, FolderShare)? {
    for folder in folders { if let entry = folder.catalogue.entry(fileID) { return (entry, folder) } }
    return nil
  }

  // MARK: Downloads

  func add(_ download: DownloadShare) { state.withLock { $0.downloads[download.link.fileID] = download } }

  func remove(_ download: DownloadShare) {
    state.withLock { state in
      if state.downloads[download.link.fileID] === download { state.downloads[download.link.fileID] = nil }
    }
  }

  /// Removes all downloads, when the node ends.
  func removeDownloads() { state.withLock { $0.downloads = [:] } }

  func has(_ download: DownloadShare) -> Bool {
    state.withLock { $0.downloads[download.link.fileID] === download }
  }

  /// Returns the shared download of a file.
  func download(_ fileID: FileID) -> DownloadShare? { state.withLock { $0.downloads[fileID] } }

  // MARK: Finding

  /// The content that an OPEN names.
  enum Found {
    case source(ServedSource, FileKey)
    /// The listing is being read. `catalogueChanged` says when to look again.
    case later
  }

  /// Returns the content that an OPEN names: a file or a folder, else the file of a download. Never waits for the disk.
  /// - `isMeant`: whether the OPEN names the content of a key.
  func find(bucket: UInt16, _ context: NodeContext, isMeant: (FileKey) -> Bool) -> Found? {
    let swarm = context.swarmKey
    let (folders, downloads) = state.withLock { state in
      (state.folders, state.downloads.values.filter { $0.key.bucket == bucket })
    }
    for folder in folders {
      for entry in folder.catalogue.candidates(bucket: bucket) {
        let key = FileKey(entry.fileID, swarm: swarm)
        if isMeant(key) { return .source(.entry(entry, folder), key) }
      }
      for listed in folder.catalogue.listings.candidates(bucket: bucket) {
        let key = FileKey(listed.fileID, swarm: swarm)
        guard isMeant(key) else { continue }
        switch context.listingOpener.source(listed, of: folder, context) {
        case .source(let source): return .source(source, key)
        case .later: return .later
        case .unreadable: continue
        }
      }
    }
    return downloads.first { isMeant($0.key) }.map { .source(.download($0), $0.key) }
  }

  /// Returns the keys of all contents in a bucket of which at least one leaf is offered.
  func keys(bucket: UInt16, swarm: SwarmKey?) -> [FileKey] {
    let (folders, downloads) = state.withLock { ($0.folders, Array($0.downloads.values)) }
    let files = folders.flatMap { folder in
      folder.catalogue.candidates(bucket: bucket).map(\.fileID)
        + folder.catalogue.listings.candidates(bucket: bucket).map(\.fileID)
    }.map { FileKey($0, swarm: swarm) }
    return files + downloads.filter { $0.key.bucket == bucket && $0.isOffered }.map(\.key)
  }
}
