// What a user allows an update of a folder to do, and why an update cannot be done.
import Content

/// How a folder that is there already is brought to a version.
public struct FolderUpdateOptions: Sendable {
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
    }
  }
}
