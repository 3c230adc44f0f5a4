// The folders where p2pnode keeps this user's data between runs. No other user can read them.
import Posix

/// Why there is no place for the node's own files.
public enum StateFoldersError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Neither $P2PNODE_HOME nor $HOME nor the user database names a folder.
  case noHome
  case cannotMake(Errno)

  public var description: String {
    switch self {
    case .noHome: "no home folder is known: set P2PNODE_HOME to a folder for the node's own files"
    case .cannotMake(let errno): "cannot make a folder for the node's own files: \(errno)"
    }
  }
}

/// The node's own folders: below $P2PNODE_HOME if it is set, otherwise as the XDG Base Directory Specification says.
/// This value only names them; `make` makes them.
public struct StateFolders: Hashable, Sendable {
  /// What the user may edit or back up: the identity and the standing peers.
  public let config: String
  /// What must outlive a process but belongs to this machine only.
  public let state: String
  /// Scratch data, which may be deleted whenever no p2pnode process runs.
  public let cache: String
  /// Names the user's nodes that run on this machine. Empty when none runs.
  public let runtime: String

  /// The folders of the user who started the process.
  public static func ofUser() throws(StateFoldersError) -> StateFolders {
    func variable(_ name: String) -> String? {
      // After `su`, the variable still names the other user's folder. Files that we made there would be in that user's
      // way.
      if name == "XDG_RUNTIME_DIR", !isOurs(Environment.runtimeFolder) { return nil }
      return Environment.variable(name)
    }
    return try StateFolders(variable: variable, home: Environment.homeFolder)
  }

  private static func isOurs(_ folder: String?) -> Bool {
    guard let folder, let directory = try? Directory(folder) else { return false }
    return (try? directory.status())?.owner == Environment.userID
  }

  /// Makes the folders' paths from given variables. A relative XDG folder is ignored, as its specification asks.
  public init(variable: (String) -> String?, home: String?) throws(StateFoldersError) {
    if let own = variable("P2PNODE_HOME"), !own.isEmpty {
      config = own + "/config"
      state = own + "/state"
      cache = own + "/cache"
      runtime = own + "/run"
      return
    }
    func folder(_ name: String, _ fallback: String) -> String? {
      if let base = variable(name), base.utf8.first == UInt8(ascii: "/") { return base + "/p2pnode" }
      return home.map { $0 + fallback + "/p2pnode" }
    }
    guard
      let config = folder("XDG_CONFIG_HOME", "/.config"),
      let state = folder("XDG_STATE_HOME", "/.local/state"),
      let cache = folder("XDG_CACHE_HOME", "/.cache")
    else { throw .noHome }
    self.config = config
    self.state = state
    self.cache = cache
    // Without a login session there is no runtime folder.
    let base = variable("XDG_RUNTIME_DIR").flatMap { $0.utf8.first == UInt8(ascii: "/") ? $0 + "/p2pnode" : nil }
    runtime = base ?? state + "/run"
  }

  /// The file that holds the node's static secret key.
  public var identityFile: String { config + "/identity" }

  /// The file of settings; not the folder `config` that holds it.
  public var configFile: String { config + "/config" }

  /// The usual path of `configFile`, for texts that are the same for every user.
  public static let configFileForPeople = "~/.config/p2pnode/config ($P2PNODE_HOME/config/config where that is set)"

  /// The file of peers that every download asks.
  public var peersFile: String { config + "/peers" }

  /// Makes one of these folders and its missing parents, mode 0700. An existing folder stays as it is.
  public static func make(_ folder: String) throws(StateFoldersError) {
    do throws(Errno) {
      try makeWithParents(folder)
    } catch {
      throw .cannotMake(error)
    }
  }

  private static func makeWithParents(_ folder: String) throws(Errno) {
    do throws(Errno) {
      try Directory.make(folder, mode: 0o700)
    } catch {
      let parent = PathParts(folder).folder
      if error.code == Errno.exists {
        _ = try Directory(folder)  // if a file has the name, this throws an error that says so
      } else if error.code == Errno.noEntry && parent != folder {
        try makeWithParents(parent)
        try makeWithParents(folder)
      } else {
        throw error
      }
    }
  }
}
