// A folder for what a process needs only while it runs.
import Posix

/// A new folder of this process alone, mode 0700. The end of this value removes the folder and everything in it. If the
/// process is killed, the folder stays in the cache, where the user may delete anything.
public struct ScratchFolder: ~Copyable {
  /// The folder's path.
  public let path: String

  /// - `cache`: the parent folder, made if missing (`StateFolders.cache`).
  /// - `name`: the folder's name, which no other process chooses.
  public init(in cache: String, name: String) throws(StateFoldersError) {
    self.init(path: try ScratchFolder.make(cache, name))
  }

  private init(path: String) { self.path = path }

  private static func make(_ cache: String, _ name: String) throws(StateFoldersError) -> String {
    try StateFolders.make(cache)
    let path = cache + "/" + name
    do throws(Errno) { try Directory.make(path, mode: 0o700) } catch { throw .cannotMake(error) }
    return path
  }

  deinit {
    let parts = PathParts(path)
    guard let parent = try? Directory(parts.folder) else { return }
    ScratchFolder.remove(parts.name, in: parent)
  }

  /// Removes a file or a folder with its contents. Follows no symbolic link.
  static func remove(_ name: String, in folder: borrowing Directory) {
    if (try? folder.remove(name)) != nil { return }
    if let inner = try? folder.openDirectory(beneath: name) {
      for entry in (try? inner.entries()) ?? [] {
        if let name = entry.text { remove(name, in: inner) }
      }
    }
    try? folder.removeDirectory(name)
  }
}
