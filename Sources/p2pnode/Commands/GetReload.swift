// On SIGHUP, a running `get` reads its limits again.
import CommandSettings

/// The settings that a running `get` takes over: its limits in bytes a second. Confined to the thread that waits for
/// signals.
final class GetReload {
  private var settings: Settings
  private let isQuiet: Bool
  private let read: () throws(Failure) -> Settings

  /// - `isQuiet`: whether only errors are printed.
  init(_ settings: Settings, isQuiet: Bool, _ read: @escaping () throws(Failure) -> Settings) {
    (self.settings, self.isQuiet, self.read) = (settings, isQuiet, read)
  }

  /// Reads the settings again. If they are invalid, the old ones stay.
  /// - `take`: receives the limits in bytes a second. Nil: no limit.
  func reload(_ take: (_ uploads: UInt64?, _ uploadsPerPeer: UInt64?, _ downloads: UInt64?) -> Void) {
    let new: Settings
    do throws(Failure) { new = try read() } catch {
      return Console.log(.error, "p2pnode: \(error.message); the settings stay as they were")
    }
    take(new.uploadLimit, new.uploadLimitPerPeer, new.downloadLimit)
    let lines = [SettingKey.uploadLimit, .uploadLimitPerPeer, .downloadLimit].compactMap { key -> String? in
      let (before, after) = (settings.text(of: key), new.text(of: key))
      return before == after ? nil : "\(key.rawValue): \(before) is now \(after) (\(new.origin(of: key)))"
    }
    settings = new
    if isQuiet || new.logLevel < .info { return }
    for line in lines.isEmpty ? ["nothing changed"] : lines { Console.log(.info, "reloaded: \(line)") }
  }
}
