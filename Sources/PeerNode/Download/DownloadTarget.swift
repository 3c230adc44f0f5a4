// Where a download's bytes go: to a file, to standard output, and to other peers.
import Content
import Posix
import Storage

/// The place that a file goes to.
public struct DownloadTarget: Hashable, Sendable {
  /// Made by the caller; it must exist.
  public var folder: String
  /// One component; nil: the suggested name, made harmless.
  public var name: String?
  /// The name that came with the fileID, made harmless before it is used; it comes before the suggestions of peers.
  public var suggestedName: String?
  /// Whether the output may replace a file that has `name`. A suggested name replaces nothing: with it a
  /// stranger could choose which of the user's files to overwrite.
  public var replaces: Bool
  /// Not a file at all: verified bytes leave in order through standard output, or through another descriptor.
  let isStream: Bool
  /// The descriptor of a stream; nil: standard output.
  private(set) var streamNumber: Int32?

  /// Whether the output may replace a file.
  var mayReplace: Bool { replaces && name != nil }

  /// A place in a folder; without a name the file gets the suggested one.
  public init(folder: String, name: String? = nil, replaces: Bool = false) {
    self.init(folder: folder, name: name, replaces: replaces, isStream: false)
  }

  /// The process's standard output, in order, through a bounded window. A folder leaves as a tar archive. Nothing is kept
  /// of a download that fails.
  public static let standardOutput = DownloadTarget(folder: "", name: nil, replaces: false, isStream: true)

  /// A stream through a descriptor that the caller keeps open.
  static func stream(to number: Int32) -> DownloadTarget {
    var target = DownloadTarget.standardOutput
    target.streamNumber = number
    return target
  }

  /// The output, if the ID is that of a folder and `folder` is that output itself; nil: a folder goes to the same place as a
  /// file.
  public var tree: PathParts?

  /// The place of a folder.
  var ofFolder: DownloadTarget {
    guard let tree else { return self }
    var target = self
    (target.folder, target.name, target.tree) = (tree.folder, tree.name, nil)
    return target
  }

  /// Whether the bytes leave through the process's standard output.
  public var isStandardOutput: Bool { isStream && streamNumber == nil }

  /// The output of a stream.
  func openStream() throws(Errno) -> File {
    guard let streamNumber else { return try File.standardOutput() }
    return try File.duplicate(of: streamNumber, path: "descriptor \(streamNumber)")
  }

  /// Where listings of folders are kept for the next time; nil: nowhere.
  public var listings: ListingCache?
  /// If nothing may be written to the output: a folder for the listing of a folder, which is made and removed when it is
  /// needed. Else empty.
  var scratchFolder = ""
  /// Whether an output that is there gets the part folder of its update.
  var updates = false
  /// The folder that a folder's part folder lies in.
  var partsFolder: String { scratchFolder.isEmpty ? existingOutput ?? folder : scratchFolder }

  /// The output of an update, if its place is known before any peer was asked, and it is there.
  private var existingOutput: String? {
    guard updates, let (folder, name) = placeKnownBefore else { return nil }
    let path = PathParts(folder: folder, name: name).path
    return Directory.exists(path) ? path : nil
  }

  /// The place of the listing, if the ID is that of a folder: in the part folder, which lies beside the output or in it.
  func listing(of folderID: FileID) -> DownloadTarget {
    DownloadTarget(
      folder: FolderPart.path(of: folderID, inFolder: ofFolder.partsFolder), name: FolderPart.listingName,
      replaces: true)
  }

  private init(folder: String, name: String?, replaces: Bool, isStream: Bool) {
    self.folder = folder
    self.name = name
    self.replaces = replaces
    self.isStream = isStream
  }
}

/// How a download gives verified data to other peers. A stream gives none.
public struct Sharing: Hashable, Sendable {
  /// For how long.
  public enum Stay: Hashable, Sendable {
    /// So long after the file has its name.
    case `for`(Duration)
    /// Until `cancel`.
    case untilCancelled
  }

  /// The address that other peers may dial; nil: none, and the download exchanges data only with peers that it dials.
  public var listen: Endpoint?
  /// How long the finished file stays offered; nil: the download ends with it.
  public var stay: Stay?

  /// Without an address no peer can dial in.
  public init(listen: Endpoint? = nil, stay: Stay? = nil) {
    self.listen = listen
    self.stay = stay
  }
}
