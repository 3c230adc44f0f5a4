// The place of a download's output: a file, a folder or a stream; and its offer to other peers.
import Content
import Posix
import Storage
import Transfer

/// The place of a download's output.
public struct DownloadTarget: Hashable, Sendable {
  /// The folder of the output. It must exist.
  public var folder: String
  /// The name of the output: one component, not empty and without a slash. Nil: the suggested name, made safe.
  public var name: String?
  /// The name that came with the fileID, for example in a link. It is made safe before use, and preferred to names that
  /// peers suggest.
  public var suggestedName: String?
  /// Whether the output may replace a file called `name`. With a suggested name nothing is replaced: a stranger could
  /// choose which of the user's files to overwrite.
  public var replaces: Bool
  /// The destination of verified bytes in order, if the output is not a file.
  private enum Stream: Hashable, Sendable {
    case standardOutput
    case descriptor(Int32)
    case sequence(BytePassage)
  }
  private var stream: Stream?

  /// Whether the output is a stream, not a file.
  var isStream: Bool { stream != nil }

  /// The buffer to the task that reads the bytes; nil if the output is not a sequence.
  var passage: BytePassage? { if case .sequence(let passage)? = stream { passage } else { nil } }

  /// Whether the output may replace a file.
  var mayReplace: Bool { replaces && name != nil }

  /// Makes a target in a folder. Without a name the file gets the suggested one.
  public init(folder: String, name: String? = nil, replaces: Bool = false) {
    self.init(folder: folder, name: name, replaces: replaces, stream: nil)
  }

  /// The process's standard output. Bytes leave in order, through a bounded window. A folder leaves as a tar archive.
  /// If the download fails, nothing is kept.
  public static let standardOutput = DownloadTarget(.standardOutput)

  /// Makes a target for a pipe, a socket or another descriptor, which works like standard output. A reader that pauses
  /// delays only this download. If the reader closes a pipe, the download fails, and the process gets no SIGPIPE.
  /// - `descriptor`: the caller keeps it open until the download has ended, and then closes it.
  public static func stream(to descriptor: Int32) -> DownloadTarget {
    DownloadTarget(.descriptor(descriptor))
  }

  /// Makes a target for a task that reads the other end of the passage.
  static func sequence(_ passage: BytePassage) -> DownloadTarget {
    DownloadTarget(.sequence(passage))
  }

  /// The output for a folder's ID, if `folder` is itself that output. Nil: a folder goes to the same place as a file.
  public var tree: PathParts?

  /// The target for a folder's ID.
  var ofFolder: DownloadTarget {
    guard let tree else { return self }
    var target = self
    (target.folder, target.name, target.tree) = (tree.folder, tree.name, nil)
    return target
  }

  /// Whether the bytes go to the process's standard output.
  public var isStandardOutput: Bool { stream == .standardOutput }

  /// Opens the destination of a stream.
  func openStream() throws(Errno) -> StreamOutput {
    switch stream {
    case .sequence(let passage)?: .passage { bytes throws(Errno) in try passage.put(bytes) }
    case .descriptor(let number)?:
      .file(OpenFile(try File.duplicate(of: number, path: "descriptor \(number)")))
    case .standardOutput?, nil: .file(OpenFile(try File.standardOutput()))
    }
  }

  /// Why the name of the output is invalid; nil: it is valid.
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

  /// The cache that keeps listings of folders for later downloads; nil: none.
  public var listings: ListingCache?
  /// A temporary folder for a folder's listing, if nothing may be written to the output; else empty. It is made and
  /// removed when needed.
  var scratchFolder = ""
  /// Whether the part folder of an update lies in the existing output.
  var updates = false
  /// The folder in which a folder's part folder lies.
  var partsFolder: String { scratchFolder.isEmpty ? existingOutput ?? folder : scratchFolder }

  /// The existing output of an update, if its place is known before any peer is asked.
  private var existingOutput: String? {
    guard updates, let (folder, name) = placeKnownBefore else { return nil }
    let path = PathParts(folder: folder, name: name).path
    return Directory.exists(path) ? path : nil
  }

  /// Returns the target of a folder's listing: in the part folder, which lies beside the output or in it.
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

/// How a download offers verified data to other peers. A stream offers none.
public struct Sharing: Hashable, Sendable {
  /// How long the finished file stays offered.
  public enum Stay: Hashable, Sendable {
    /// For this long after the file has its name.
    case `for`(Duration)
    /// Until `cancel`.
    case untilCancelled
  }

  /// The address that other peers may dial. Nil: none; the download exchanges data only with peers that it dials.
  public var listen: Endpoint?
  /// How long the finished file stays offered; nil: the download ends when the file is complete.
  public var stay: Stay?

  /// By default no peer can dial in, and the finished file does not stay offered.
  public init(listen: Endpoint? = nil, stay: Stay? = nil) {
    self.listen = listen
    self.stay = stay
  }
}
