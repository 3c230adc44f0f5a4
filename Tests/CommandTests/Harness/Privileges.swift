// Processes with less power than the tests have, or with a small disk of their own, where the system lets us.
import Foundation

enum Privileges {
  /// Before a command: takes away root's right to pass over the permissions of files. Empty for other users.
  static let obeyPermissions: [String] =
    geteuid() == 0
    ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"] : []

  static let canObeyPermissions = geteuid() != 0 || succeeds(obeyPermissions + ["true"])

  /// Before a command: with a file system of its own on a folder, which nobody else sees and which goes with it.
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
