// Checks whether the output is complete already, before any peer is asked: then no peer is needed.
import Content
import Posix
import Storage

/// Compares the file at the place of the output with the fileID, as a job of the disk pool.
final class ExistingOutputCheck: Sendable {
  private let fileID: FileID
  private let length: UInt64?
  private let folder: String
  private let name: String
  private let isStopped = StopFlag()

  /// Nil if no name is known, or if the output may replace the file that has the name and the wanted length is unknown.
  /// - `length`: of the file, in bytes; nil if it is not known.
  init?(_ fileID: FileID, _ target: DownloadTarget, length: UInt64?) {
    guard let place = target.placeKnownBefore, !target.mayReplace || length != nil else { return nil }
    self.fileID = fileID
    self.length = length
    (folder, name) = place
  }

  /// Starts the job, which sends `looked`.
  func start(on queues: OutputQueues, _ link: DownloadLink) {
    queues.run {
      PartFile.isHashed(self.name, inFolder: self.folder, length: self.length)
    } _: {
      guard !self.isStopped.isSet else { return link.send(.looked(nil)) }
      let content = try? PartFile.content(
        of: self.name, inFolder: self.folder, fileID: self.fileID, length: self.length
      ) { self.isStopped.isSet }
      if case .wanted(let file)? = content {
        link.send(.looked((self.name, file)))
      } else {
        link.send(.looked(nil))
      }
    }
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
