// Private file systems: an idle process holds their mount namespace, and commands enter it.
import Foundation

struct Mounts {
  private let holder: pid_t

  fileprivate init(_ holder: pid_t) { self.holder = holder }

  /// A prefix for commands that run where the file systems are mounted. Their working folder is then the root.
  var entering: [String] {
    (geteuid() == 0 ? ["nsenter"] : ["nsenter", "--user", "--preserve-credentials"])
      + ["--mount", "--target", "\(holder)"]
  }

  /// Returns a path in the namespace, as the test itself can open it.
  func seen(_ path: String) -> String { "/proc/\(holder)/root\(path)" }
}

extension Workbench {
  /// Mounts file systems with a script, which gets the argument as `$0`. They end with the workbench.
  func mounts(_ script: String, _ argument: String) throws -> Mounts {
    let unshare = geteuid() == 0 ? ["--mount"] : ["--map-root-user", "--mount"]
    let holder = try start(
      "unshare", unshare + ["sh", "-c", "(\(script)) >&2 && echo mounted && exec tail -f /dev/null", argument])
    try line(of: holder, on: .stdout, with: "mounted")
    guard let pid = holder.pid else { throw Unexpected("it holds nothing: \(holder)") }
    return Mounts(pid)
  }
}

extension Privileges {
  static let canEnterMounts = succeedsIn { try $0.mounts(#"mount -t tmpfs tmpfs "$0""#, $0.folder) }

  /// Whether an ext4 image can be mounted here.
  static let canMountImages = succeedsIn { workbench in
    try workbench.mounts(
      #"truncate -s 8m "$0/image" && mkfs.ext4 -q "$0/image" && mkdir "$0/on" && mount -o loop "$0/image" "$0/on""#,
      workbench.folder)
  }

  private static func succeedsIn(_ make: (Workbench) throws -> Mounts) -> Bool {
    let workbench = Workbench()
    guard let mounts = try? make(workbench) else { return false }
    let inside = try? workbench.start(mounts.entering[0], Array(mounts.entering[1...]) + ["true"])
    return inside.flatMap { try? workbench.ended($0) }?.code == 0
  }
}
