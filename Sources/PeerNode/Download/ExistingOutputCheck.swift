// Checks whether the output is complete already, before any peer is asked: then no peer is needed.
import Content
import Posix
import Storage

/// Compares the file at the place of the output with the fileID, as a job of the disk pool.
final class ExistingOutputCheck: Sendable {
  private let fileID: FileID
  private let length: UInt64?
  /// Where the file may be, if it is known, and where the listing of a folder may be.
  private let places: [(target: DownloadTarget, name: String, kind: ContentKind)]
  private let isStopped = StopFlag()

  /// Nil for a stream. A file that the output may replace is not looked at if the wanted length is unknown.
  /// - `length`: of the file or listing, in bytes; nil if it is not known.
  init?(_ fileID: FileID, _ target: DownloadTarget, length: UInt64?) {
    guard !target.isStream else { return nil }
    self.fileID = fileID
    self.length = length
    let listing = target.listing(of: fileID)
    var places = [(listing, FolderPart.listingName, ContentKind.folder)]
    if let (_, name) = target.placeKnownBefore, !target.mayReplace || length != nil {
      places.insert((target, name, .file), at: 0)
    }
    self.places = places
  }

  /// Starts the job, which sends `looked`.
  func start(on queues: OutputQueues, _ link: DownloadLink) {
    queues.run {
      self.places.contains { PartFile.isHashed($0.name, inFolder: $0.target.folder, length: self.length) }
    } _: {
      link.send(.looked(self.find()))
    }
  }

  private func find() -> (name: String, file: FoundFile)? {
    for (target, name, kind) in places where !isStopped.isSet {
      let content = try? PartFile.content(
        of: name, inFolder: target.folder, fileID: fileID, kind: kind, length: length
      ) { self.isStopped.isSet }
      if case .wanted(let file)? = content, !isStopped.isSet { return (name, file) }
    }
    return nil
  }

  /// Ends the job soon. Its result has no meaning then.
  func stop() { isStopped.set() }
}

extension DownloadTarget {
  /// Folder and name of the output, as far as they are known before any peer was asked.
  fileprivate var placeKnownBefore: (folder: String, name: String)? {
    isStream ? nil : (name ?? suggestedName.flatMap(SuggestedName.sanitised)).map { (folder, $0) }
  }

  /// Whether a file has the output's name already. It may be the wanted file, and then no peer is needed.
  public var isTaken: Bool {
    guard let (folder, name) = placeKnownBefore, let folder = try? Directory(folder) else { return false }
    return (try? folder.status(of: name)) != nil
  }
}
