// The files and folders that `send` offers. They are checked first, then shared by a node, then known by their IDs.
import Content
import PeerNode
import Posix
import Storage
import Wire

/// The paths of one `send` command.
struct SentPaths {
  /// A folder, or some files of a folder.
  struct Share {
    let folder: String
    /// The same folder as an absolute path without links.
    let realFolder: String
    /// The files to send. Empty: the folder itself is sent.
    var names: [String]
    /// Whether a name among them is a symbolic link. The link stands for the file that it leads to.
    var hasLinks: Bool
  }

  private(set) var shares: [Share] = []

  /// Throws if a path is neither a folder nor a regular file.
  init(_ paths: [String]) throws(Failure) {
    var places: [String: Int] = [:]
    for path in paths {
      if path == "-" {
        throw Failure(Exit.usage, "send offers files and folders, not standard input: write it to a file first")
      }
      if Directory.exists(path) {
        let real = try SentPaths.realPath(of: path, for: path)
        if places.updateValue(shares.count, forKey: real + "/") == nil {
          shares.append(Share(folder: path, realFolder: real, names: [], hasLinks: false))
        }
        continue
      }
      let parts = PathParts(path)
      let isLink = try SentPaths.isLink(parts, of: path)
      let real = try SentPaths.realPath(of: parts.folder, for: path)
      if let place = places[real] {
        shares[place].hasLinks = shares[place].hasLinks || isLink
        if !shares[place].names.contains(where: { $0.utf8.elementsEqual(parts.name.utf8) }) {
          shares[place].names.append(parts.name)
        }
      } else {
        places[real] = shares.count
        shares.append(Share(folder: parts.folder, realFolder: real, names: [parts.name], hasLinks: isLink))
      }
    }
  }

  /// The absolute paths of everything that is sent. A folder's path ends in "/".
  var realPaths: [String] {
    shares.flatMap { share in
      share.names.isEmpty
        ? [share.realFolder + "/"] : share.names.map { PathParts(folder: share.realFolder, name: $0).path }
    }
  }

  private static func realPath(of folder: String, for path: String) throws(Failure) -> String {
    do throws(Errno) { return try Directory(folder).realPath() } catch { throw cannotRead(path, error) }
  }

  /// Whether the name is a symbolic link. Throws unless it leads to a regular file.
  private static func isLink(_ parts: PathParts, of path: String) throws(Failure) -> Bool {
    let (status, target): (FileStatus, FileStatus)
    do throws(Errno) {
      let folder = try Directory(parts.folder)
      (status, target) = (try folder.status(of: parts.name), try folder.status(ofTarget: parts.name))
    } catch {
      throw cannotRead(path, error)
    }
    guard target.kind == .regular, !path.hasSuffix("/") else {
      throw Failure(Exit.noInput, "\(path): is neither a folder nor a regular file; name another file or folder")
    }
    do throws(Errno) { _ = try File(path, [.read, .nonBlocking]) } catch { throw cannotRead(path, error) }
    return status.kind == .symbolicLink
  }

  private static func cannotRead(_ path: String, _ errno: Errno) -> Failure {
    Failure(
      Exit.noInput,
      "cannot read \(path): \(errno.reason.lowercased()); check the path, and that this user may read it")
  }
}

extension SentPaths.Share {
  /// Returns what a node serves of it.
  /// - `rules`: the rules of the settings, for a folder.
  func rules(_ rules: ServingRules) -> ServingRules {
    if !names.isEmpty {
      return ServingRules(folders: .none, followsLinks: hasLinks, only: Set(names.map { Array($0.utf8) }))
    }
    var rules = rules
    rules.folders = .top
    return rules
  }

  /// The path of the folder as the user gave it, with a "/" at its end.
  var folderPath: String { folder.hasSuffix("/") ? folder : folder + "/" }

  /// Returns the path of a name, as the user would write it.
  func path(of name: String) -> String { folder == "." ? name : PathParts(folder: folder, name: name).path }

  /// Returns the offers after hashing. Throws if something cannot be offered.
  /// - `reasons`: why files were skipped, by name.
  func offers(of share: FolderShare, _ reasons: [String: SkipReason]) throws(Failure) -> [SentOffer] {
    guard !names.isEmpty else { return [try folderOffer(of: share)] }
    let entries = share.entries
    var offers: [SentOffer] = []
    for name in names {
      guard let entry = entries.first(where: { $0.path.utf8.elementsEqual(name.utf8) }) else {
        let reason = reasons[name] ?? .changed
        let advice =
          switch reason {
          case .io(let errno) where errno.isInputOutput: "try again when the disk works"
          case .io: "check that this user may read it"
          case .tooLong, .cannotKeep, .nameNotUTF8, .notRegular: "name another file or folder"
          case .changed, .stopped: "try again when no program writes to it"
          }
        throw Failure(Exit.noInput, "cannot send \(path(of: name)): \(reason); \(advice)")
      }
      offers.append(
        SentOffer(
          id: entry.fileID, content: entry.fileID, name: name, path: path(of: name), isFolder: false,
          idLength: entry.length, byteCount: entry.length))
    }
    return offers
  }

  private func folderOffer(of share: FolderShare) throws(Failure) -> SentOffer {
    guard let listing = share.folders.first(where: { $0.folder.isEmpty }) else {
      throw Failure(
        Exit.tryAgain, "cannot send \(folder): its files keep changing; try again when no program writes to them")
    }
    // A folder without any bytes is complete when its listing is.
    let content = listing.contentsLength == 0 ? listing.folderID : listing.contentsID
    return SentOffer(
      id: listing.folderID, content: content, name: (try? ServedFolder(folder).name) ?? PathParts(folder).name,
      path: folderPath, isFolder: true, idLength: listing.length,
      byteCount: listing.contentsLength)
  }
}

/// A file or a folder on offer.
struct SentOffer: Hashable {
  /// The ID that a peer asks for.
  let id: FileID
  /// The content that a peer has when it has everything.
  let content: FileID
  /// The suggested name.
  let name: String
  /// The path as the user gave it. A folder's path ends in "/".
  let path: String
  let isFolder: Bool
  /// The bytes of the file, or of the folder's listing. The ID commits to this length.
  let idLength: UInt64
  /// The bytes of the file, or of all files of the folder.
  let byteCount: UInt64

  func link(_ peers: [FileLink.Peer]) -> FileLink { FileLink(fileID: id, name: name, length: idLength, peers: peers) }
}

/// Counts the peers that were sent everything on offer.
struct SentCount {
  /// The most peers to remember while they lack something. One peer may connect with any number of PeerIDs.
  static let peersMax = 1_024

  private let contents: Set<FileID>
  private var had: [PeerID: Set<FileID>] = [:]
  private(set) var count = 0
  /// The number of peers that are remembered.
  var unfinishedCount: Int { had.count }

  init(_ contents: Set<FileID>) { self.contents = contents }

  /// Records that a peer was sent all of a content. A peer that fetches everything again counts again.
  mutating func complete(_ content: FileID, by peer: PeerID) {
    if had[peer] == nil, had.count >= SentCount.peersMax, let other = had.keys.first { had[other] = nil }
    had[peer, default: []].insert(content)
    guard had[peer] == contents else { return }
    had[peer] = nil
    count += 1
  }
}
