// Checks, before any peer is asked, whether the output is complete already. Then no peer is needed.
import Content
import Posix
import Storage

/// Compares the file at the place of the output with the fileID, as a job of the disk pool.
final class ExistingOutputCheck: Sendable {
  private let fileID: FileID
  private let length: UInt64?
  /// The places where the file may be, and where the listing of a folder may be.
  private let places: [(folder: String, name: String, kind: ContentKind)]
  /// Whether the output has a name without a suggestion from peers.
  private let isNamed: Bool
  private let isStopped = StopFlag()

  /// Nil if no place is known. A file that the output may replace is not checked if the wanted length is unknown.
  /// - `length`: the length of the file or listing in bytes; nil if it is not known.
  init?(_ fileID: FileID, _ target: DownloadTarget, length: UInt64?) {
    self.fileID = fileID
    self.length = length
    isNamed = target.isStream || target.ofFolder.placeKnownBefore != nil
    var places: [(folder: String, name: String, kind: ContentKind)] = []
    if let (folder, name) = target.placeKnownBefore, !target.mayReplace || length != nil {
      places.append((folder, name, .file))
    }
    if !target.isStream { places.append((target.listing(of: fileID).folder, FolderPart.listingName, .folder)) }
    if let cache = target.listings { places.append((cache.folder, ListingCache.name(of: fileID), .folder)) }
    if places.isEmpty { return nil }
    self.places = places
  }

  /// Starts the job, which sends `looked`.
  func start(on queues: OutputQueues, _ link: DownloadLink) {
    queues.run {
      self.places.contains { PartFile.isHashed($0.name, inFolder: $0.folder, length: self.length) }
    } _: {
      link.send(.looked(self.find()))
    }
  }

  private func find() -> (name: String, file: FoundFile)? {
    for (folder, name, kind) in places where !isStopped.isSet {
      let content = try? PartFile.content(
        of: name, inFolder: folder, fileID: fileID, kind: kind, length: length
      ) { self.isStopped.isSet }
      guard case .wanted(let file)? = content, !isStopped.isSet else { continue }
      guard kind == .folder else { return (name, file) }
      // A listing does not contain a name for the output. If no name is known, a peer is asked.
      let suggestion = ListingCache.suggestedName(besideListing: file.path) ?? (isNamed ? "" : nil)
      if let suggestion { return (suggestion, file) }
    }
    return nil
  }

  /// Asks the job to end soon. The caller ignores its result.
  func stop() { isStopped.set() }
}

extension DownloadTarget {
  /// The folder and name of the output, if they are known before any peer is asked.
  var placeKnownBefore: (folder: String, name: String)? {
    isStream ? nil : (name ?? suggestedName.flatMap(SuggestedName.sanitised)).map { (folder, $0) }
  }

  /// Whether an entry already has the output's name. It may be the wanted file, and then no peer is needed.
  public var isTaken: Bool {
    guard let (folder, name) = ofFolder.placeKnownBefore, let folder = try? Directory(folder) else { return false }
    return (try? folder.status(of: name)) != nil
  }
}
