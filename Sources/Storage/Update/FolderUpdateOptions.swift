// What a user allows an update of a folder to do, and why an update can fail.
import Content

/// The changes that are allowed in an existing folder.
public enum FolderChanges: Hashable, Sendable {
  /// All changes that bring it to the version.
  case all
  /// Only adding the missing entries, if the folder contains nothing but entries of the version. A folder that has all
  /// entries may contain other names too.
  case additions
  /// No change: the folder must already have all entries.
  case none
}

/// How an existing folder is brought to a version.
public struct FolderUpdateOptions: Sendable {
  /// The changes that are allowed in the output. If the update needs more, it fails.
  public var changes = FolderChanges.all
  /// The listed paths that the output gets. Other names in the output are left alone.
  public var filter = FolderFilter()
  /// Whether names that the version lacks are removed at the end. Only names are removed that a listing could have,
  /// that the filter includes, and that have not changed since the update began.
  public var deletes = false
  /// Whether hidden names are removed too.
  public var deletesHidden = false
  /// Whether the output may have little to do with the version. If not, an update of such a folder fails, because the
  /// user probably means another folder.
  public var acceptsStrangeOutput = false
  /// Other folders whose files may be copied instead of fetched.
  public var reusedFolders: [String] = []
  /// The folder that remembers the hashes of files. It must exist. Nil: nothing is remembered.
  public var stateFolder: String?

  public init() {}
}

/// Why a folder cannot be brought to a version. Nothing was changed, except in the case `changed`.
public enum FolderUpdateFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// The version has a file or link where the output has a folder, and that folder contains names that the version
  /// lacks.
  case unlisted(folder: String, name: String)
  /// The output has a device, a pipe or a socket where the version has an entry.
  case notAFile(path: String)
  /// Another file system is mounted where the version has an entry.
  case mounted(path: String)
  /// Another program changed the path after the update began. Other paths may already be updated.
  case changed(path: String)
  /// No file of the output belongs to the version, so the update would remove unrelated names.
  case nothingKept(path: String, deletionCount: Int)
  /// The output has other names, few of the version's names, and no file of the version.
  case strangeOutput(path: String)
  /// The output is not the version, and the allowed changes are not enough. The path is an example.
  case otherVersion(folder: String, path: String, VersionMismatch)

  public var description: String {
    switch self {
    case .unlisted(let folder, let name):
      "\(folder): contains \(name), which this version does not have, and a folder with unlisted names is never replaced"
    case .notAFile(let path): "\(path): is a device, a pipe or a socket, which is never replaced"
    case .mounted(let path): "\(path): another file system is mounted here, so files cannot be moved to it"
    case .changed(let path): "\(path): another program changed it while the update ran"
    case .nothingKept(let path, let count):
      "\(path): no file in it belongs to this version, and --delete would delete \(count) \(count == 1 ? "name" : "names")"
    case .strangeOutput(let path): "\(path): contains other files, and none of this version"
    case .otherVersion(let folder, let path, .content): "\(folder): exists, and \(path) in it differs from this version"
    case .otherVersion(let folder, let path, .missing):
      "\(folder): exists, and does not contain \(path) of this version"
    case .otherVersion(let folder, let path, .unlisted):
      "\(folder): exists, and contains \(path), which this version does not have"
    }
  }
}

/// How a path in an output differs from the version.
public enum VersionMismatch: Hashable, Sendable {
  /// The output has something else at the path.
  case content
  /// Only the version has the path.
  case missing
  /// Only the output has the path, and the output lacks entries of the version.
  case unlisted
}
