// Where a download's bytes go: to a file, to standard output, and to other peers.
import Content
import Posix
import Storage
import Transfer

/// The place that a file goes to.
public struct DownloadTarget: Hashable, Sendable {
  /// Made by the caller; it must exist.
  public var folder: String
  /// One component, not empty and without a slash; nil: the suggested name, made harmless.
  public var name: String?
  /// The name that came with the fileID, made harmless before it is used; it comes before the suggestions of peers.
  public var suggestedName: String?
  /// Whether the output may replace a file that has `name`. A suggested name replaces nothing: with it a
  /// stranger could choose which of the user's files to overwrite.
  public var replaces: Bool
  /// Where verified bytes leave in order, if the output is not a file at all.
  private enum Stream: Hashable, Sendable {
    case standardOutput
    case descriptor(Int32)
    case sequence(BytePassage)
  }
  private var stream: Stream?

  /// Not a file at all: verified bytes leave in order.
  var isStream: Bool { stream != nil }

  /// The way to the task that reads the bytes; nil if none does.
  var passage: BytePassage? { if case .sequence(let passage)? = stream { passage } else { nil } }

  /// Whether the output may replace a file.
  var mayReplace: Bool { replaces && name != nil }

  /// A place in a folder; without a name the file gets the suggested one.
  public init(folder: String, name: String? = nil, replaces: Bool = false) {
    self.init(folder: folder, name: name, replaces: replaces, stream: nil)
  }

  /// The process's standard output, in order, through a bounded window. A folder leaves as a tar archive. Nothing is kept
  /// of a download that fails.
  public static let standardOutput = DownloadTarget(.standardOutput)

  /// A pipe, a socket or another descriptor, which gets the bytes as standard output does. A reader that pauses holds up this
  /// download alone. If the other end of a pipe is closed, the download fails, and the process gets no SIGPIPE.
  /// - `descriptor`: the caller keeps it open until the download is over, and closes it.
  public static func stream(to descriptor: Int32) -> DownloadTarget {
    DownloadTarget(.descriptor(descriptor))
  }

  /// The task that reads the other end of the passage.
  static func sequence(_ passage: BytePassage) -> DownloadTarget {
    DownloadTarget(.sequence(passage))
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
  public var isStandardOutput: Bool { stream == .standardOutput }

  /// Where a stream writes to.
  func openStream() throws(Errno) -> StreamOutput {
    switch stream {
    case .sequence(let passage)?: .passage { bytes throws(Errno) in try passage.put(bytes) }
    case .descriptor(let number)?:
      .file(OpenFile(try File.duplicate(of: number, path: "descriptor \(number)")))
    case .standardOutput?, nil: .file(OpenFile(try File.standardOutput()))
    }
  }

  /// A name of the output that no file can have.
  var fault: SettingFault? {
    guard
      let name = [name, tree?.name].lazy.compactMap(\.self).first(where: {
        !DownloadTarget.isOneComponent($0)
      })
    else { return nil }
    return SettingFault(
      "the name of the output", is: "\"\(SuggestedName.escapedForTerminal(name))\"",
      mustBe: "one component without a slash")
  }

  private static func isOneComponent(_ name: String) -> Bool {
    !name.isEmpty && !name.utf8.contains(UInt8(ascii: "/"))
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

  private init(_ stream: Stream) {
    self.init(folder: "", name: nil, replaces: false, stream: stream)
  }

  private init(folder: String, name: String?, replaces: Bool, stream: Stream?) {
    self.folder = folder
    self.name = name
    self.replaces = replaces
    self.stream = stream
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
