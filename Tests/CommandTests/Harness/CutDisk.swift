// A disk whose power fails: what its image holds at a moment is copied and mounted elsewhere.
//
// It is an ext4 image on a loop device in memory: what is in the image was written to it, the rest is lost.
import Foundation

struct CutDisk {
  /// What the disk holds now, for commands that run through `entering`.
  let now: String
  /// What it held at the last cut.
  let after: String
  private let workbench: Workbench
  private let mounts: Mounts
  private let folder: String

  /// The image is bare enough for a copy of it to be quick.
  init(_ workbench: Workbench, megabytes: Int) throws {
    self.workbench = workbench
    folder = try workbench.makeFolder("disk")
    (now, after) = (folder + "/now", folder + "/after")
    let script = """
      mount -t tmpfs -o size=\(5 * megabytes)m tmpfs "$0" && cd "$0" && mkdir now after \\
      && truncate -s \(megabytes)m image && mkfs.ext4 -q -F -O ^has_journal -E nodiscard image \\
      && tune2fs -O has_journal image && mount -o loop image now
      """
    mounts = try workbench.mounts(script, folder)
  }

  /// Before a command: where the disk is.
  var entering: [String] { mounts.entering }

  /// A path on the disk, as the test itself can open it.
  func seen(_ path: String) -> String { mounts.seen(path) }

  /// Runs a script in the folder of the image.
  func run(_ script: String) throws {
    let arguments = Array(entering[1...]) + ["sh", "-c", #"cd "$0" && "# + script, folder]
    let child = try workbench.ended(try workbench.start(entering[0], arguments))
    guard child.code == 0 else { throw Unexpected("\(child)") }
  }

  /// Cuts the power: afterwards the disk as it was is at `after`. The command goes on, as if nothing had happened.
  func cut(during get: Child) throws {
    try stop(get)
    try cut()
    get.signal(SIGCONT)
  }

  /// Cuts the power while nothing writes. The image is at rest once two copies of it are the same.
  func cut() throws {
    try run("for i in 1 2 3 4 5 6 7 8 9; do cp --sparse=always image copy; cmp -s image copy && exit; done; exit 1")
    try run("mount -o loop copy after")
  }

  /// Forgets the last cut.
  func restore() throws { try run("umount --lazy after && rm copy") }

  /// Returns when no thread of it is in a system call any more.
  private func stop(_ get: Child) throws {
    guard let pid = get.pid else { return }
    get.signal(SIGSTOP)
    try workbench.wait(for: "every thread to stop", checkingEachMilliseconds: 1) {
      let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
      return threads.allSatisfy { thread in
        let status = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
        return status?.contains("State:\tT") != false
      }
    }
  }
}
