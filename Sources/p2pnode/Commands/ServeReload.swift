// SIGHUP: what of the settings a running `serve` takes over, and what it says of it.
import CommandSettings
import PeerNode
import Sodium
import Wire

/// The settings in force, and how others come in their place.
struct ServeReload {
  private var settings: Settings
  /// The key that the server has, as long as it runs.
  private let swarmKey: SwarmKey?

  init(_ settings: Settings, _ swarmKey: SwarmKey?) { (self.settings, self.swarmKey) = (settings, swarmKey) }

  /// Reads the settings again. What is wrong with them is said, and the old ones stay.
  mutating func reload(_ server: Server, _ log: ServeLog, _ read: () throws(Failure) -> Settings) {
    let new: Settings
    let key: SwarmKey?
    do throws(Failure) {
      new = try read()
      key = try new.loadSwarmKey()
    } catch {
      return Console.log(.error, "p2pnode: \(error.message); the settings stay as they were")
    }
    var changed = ServeReload.changes(from: settings, to: new)
    if let path = new.swarmKey, path == settings.swarmKey, let key, let swarmKey, !key.equals(swarmKey) {
      changed.append("not reloaded: swarm-key: \(path) has another key now: start serve again")
    }
    server.reconfigure(
      uploadLimit: new.uploadLimit, uploadLimitPerPeer: new.uploadLimitPerPeer, connectionsMax: new.maxConnections,
      allowedPeers: new.allow)
    Console.show(new.logLevel)
    // Those that wait for a new start are said again next time, and the others are not.
    settings = settings.taking(over: new)
    for line in changed.isEmpty ? ["reloaded: nothing changed"] : changed {
      Console.log(line.hasPrefix("not ") ? .warning : .info, line)
    }
    settings.warnOfOpenFiles(granted: server.connectionsMax)
  }

  /// A line for each key that says something else than before and that `serve` takes.
  static func changes(from old: Settings, to new: Settings) -> [String] {
    let ofGet: Set<SettingKey> = [.workers, .retries, .chunkTimeout, .wait, .downloadLimit]
    return SettingKey.allCases.compactMap { key in
      let (before, after) = (old.text(of: key), new.text(of: key))
      guard before != after, !ofGet.contains(key) else { return nil }
      let line = "\(key.rawValue): \(before) is now \(after) (\(new.origin(of: key)))"
      return key.isReloaded ? "reloaded: \(line)" : "not reloaded: \(line): start serve again"
    }
  }
}

extension SwarmKey {
  fileprivate func equals(_ other: SwarmKey) -> Bool {
    key.withBytes { mine in other.key.withBytes { constantTimeEqual(mine, $0) } }
  }
}
