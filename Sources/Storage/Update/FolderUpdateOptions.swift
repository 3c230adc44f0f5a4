// What a user allows an update of a folder to do, and why an update cannot be done.
import Content

/// What may become of a folder that is there already.
public enum FolderChanges: Hashable, Sendable {
  /// It is brought to the version.
  case all
  /// It gets the entries that it misses, if it holds nothing but entries of the version. A folder that has all of them may
  /// hold other names, too.
  case additions
  /// Nothing: it has all entries already.
  case none
}

/// How a folder that is there already is brought to a version.
public struct FolderUpdateOptions: Sendable {
  /// What may become of the output. If more is needed, it is an error.
  public var changes = FolderChanges.all
  /// Which listed paths the output gets. Other names in the output are left alone.
  public var filter = FolderFilter()
  /// Whether names that the version does not have are removed at the end: only those that a listing could have, that
  /// the filter includes, and that have not changed since the update began.
  public var deletes = false
  /// Whether hidden names are removed, too.
  public var deletesHidden = false
  /// Whether the output may have little to do with the version. If not, an update of such a folder is an error: likely
  /// the user means another one.
  public var acceptsStrangeOutput = false
  /// Other folders whose files may be copied instead of fetched.
  public var reusedFolders: [String] = []
  /// The folder that remembers what files hash to; nil: nothing is remembered. It must exist.
  public var stateFolder: String?

  public init() {}
}

/// Why a folder cannot be brought to a version. Nothing was changed, except as `changed` says.
public enum FolderUpdateFault: Error, Hashable, Sendable, CustomStringConvertible {
  /// A file or a link belongs where a folder is that holds names which the version does not have.
  case unlisted(folder: String, name: String)
  /// A device, a pipe or a socket is where an entry of the version belongs.
  case notAFile(path: String)
  /// Another file system is mounted where an entry of the version belongs.
  case mounted(path: String)
  /// Another program changed the path after the update began. Other paths may be updated already.
  case changed(path: String)
  /// No file of the output belongs to the version, so names in it would be removed that have nothing to do with it.
  case nothingKept(path: String, deletionCount: Int)
  /// The output has other names, and few of the version's, and no file of it.
  case strangeOutput(path: String)
  /// The output is not the version, and may not be changed so far. A path in it shows that.
  case otherVersion(folder: String, path: String, VersionMismatch)

  public var description: String {
    switch self {
    case .unlisted(let folder, let name):
      "\(folder): holds \(name), which the version does not have, and a folder with unlisted names is never replaced"
    case .notAFile(let path): "\(path): is no file but a device, a pipe or a socket, which is never replaced"
    case .mounted(let path): "\(path): another file system is mounted here, and files cannot be moved to it"
    case .changed(let path): "\(path): another program changed it while the update ran"
    case .nothingKept(let path, let count):
      "\(path): no file in it belongs to the version, and \(count) names would be deleted"
    case .strangeOutput(let path): "\(path): holds other files, and none of this version"
    case .otherVersion(let folder, let path, .content): "\(folder): exists, and \(path) in it is not as in this version"
    case .otherVersion(let folder, let path, .missing): "\(folder): exists, and \(path) of this version is not in it"
    case .otherVersion(let folder, let path, .unlisted):
      "\(folder): exists, and holds \(path), which this version does not"
    }
  }
}

/// How a path of an output differs from a version.
public enum VersionMismatch: Hashable, Sendable {
  /// The output has something else there.
  case content
  /// Only the version has it.
  case missing
  /// Only the output has it, and the output does not have all of the version.
  case unlisted
}
