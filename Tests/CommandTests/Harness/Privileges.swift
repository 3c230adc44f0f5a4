// Processes with fewer privileges than the tests, or with a small disk of their own, if the system allows it.
import Foundation

enum Privileges {
  /// A prefix for commands: drops root's right to ignore file permissions. Empty for other users.
  static let obeyPermissions: [String] =
    geteuid() == 0
    ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"] : []

  static let canObeyPermissions = geteuid() != 0 || succeeds(obeyPermissions + ["true"])

  /// Returns a prefix for commands: mounts a private file system on a folder, which ends with the command.
  static func mounting(_ options: String, on folder: String) -> [String] {
    (geteuid() == 0 ? ["unshare", "--mount"] : ["unshare", "--map-root-user", "--mount"])
      + ["sh", "-c", #"mount -t tmpfs -o "$1" tmpfs "$0" && shift && exec "$@""#, folder, options]
  }

  static let canMount = succeeds(mounting("size=1m", on: NSTemporaryDirectory()) + ["true"])

  private static func succeeds(_ command: [String]) -> Bool {
    let workbench = Workbench()
    guard let child = try? workbench.start(command[0], Array(command[1...])) else { return false }
    return (try? workbench.ended(child))?.code == 0
  }
}
