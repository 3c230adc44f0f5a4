// On SIGHUP, a running `serve` takes over new settings and reports them.
import CommandSettings
import PeerNode
import Sodium
import Wire

/// The settings in force, which a reload replaces.
struct ServeReload {
  private var settings: Settings
  /// The swarm key of the server, which does not change while it runs.
  private let swarmKey: SwarmKey?

  init(_ settings: Settings, _ swarmKey: SwarmKey?) { (self.settings, self.swarmKey) = (settings, swarmKey) }

  /// Reads the settings again. If they are invalid, it prints why, and the old ones stay.
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
      changed.append("not reloaded: swarm-key: \(path) has another key now: restart serve to apply it")
    }
    server.reconfigure(
      uploadLimit: new.uploadLimit, uploadLimitPerPeer: new.uploadLimitPerPeer, connectionsMax: new.maxConnections,
      allowedPeers: new.allow)
    Console.show(new.logLevel)
    // Changes that need a new start are reported again by the next reload. The others are not.
    settings = settings.taking(over: new)
    for line in changed.isEmpty ? ["reloaded: nothing changed"] : changed {
      Console.log(line.hasPrefix("not ") ? .warning : .info, line)
    }
    settings.warnOfOpenFiles(granted: server.connectionsMax)
  }

  /// Returns a line for each changed key that `serve` uses.
  static func changes(from old: Settings, to new: Settings) -> [String] {
    let ofGet: Set<SettingKey> = [.workers, .retries, .chunkTimeout, .wait, .downloadLimit]
    return SettingKey.allCases.compactMap { key in
      let (before, after) = (old.text(of: key), new.text(of: key))
      guard before != after, !ofGet.contains(key) else { return nil }
      let line = "\(key.rawValue): \(before) is now \(after) (\(new.origin(of: key)))"
      return key.isReloaded ? "reloaded: \(line)" : "not reloaded: \(line): restart serve to apply it"
    }
  }
}

extension SwarmKey {
  fileprivate func equals(_ other: SwarmKey) -> Bool {
    key.withBytes { mine in other.key.withBytes { constantTimeEqual(mine, $0) } }
  }
}
