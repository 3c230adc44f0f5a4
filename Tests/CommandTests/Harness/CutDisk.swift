// A disk whose power can fail: its image at one moment is copied, and the copy is mounted elsewhere.
//
// The disk is an ext4 image on a loop device, on tmpfs. What is in the image has reached the disk; the rest is lost.
import Foundation

struct CutDisk {
  /// The disk now, for commands that run through `entering`.
  let now: String
  /// The disk as it was at the last cut.
  let after: String
  private let workbench: Workbench
  private let mounts: Mounts
  private let folder: String

  /// The image is sparse, so that it is copied quickly.
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

  /// A prefix for commands that run where the disk is mounted.
  var entering: [String] { mounts.entering }

  /// Returns a path on the disk, as the test itself can open it.
  func seen(_ path: String) -> String { mounts.seen(path) }

  /// Runs a script in the folder of the image.
  func run(_ script: String) throws {
    let arguments = Array(entering[1...]) + ["sh", "-c", #"cd "$0" && "# + script, folder]
    let child = try workbench.ended(try workbench.start(entering[0], arguments))
    guard child.code == 0 else { throw Unexpected("\(child)") }
  }

  /// Cuts the power. Afterwards `after` shows the disk as it was. The command then goes on as if nothing had happened.
  func cut(during get: Child) throws {
    try stop(get)
    try cut()
    get.signal(SIGCONT)
  }

  /// Cuts the power while nothing writes. The image is stable once two copies of it are equal.
  func cut() throws {
    try run("for i in 1 2 3 4 5 6 7 8 9; do cp --sparse=always image copy; cmp -s image copy && exit; done; exit 1")
    try run("mount -o loop copy after")
  }

  /// Removes the result of the last cut.
  func restore() throws { try run("umount --lazy after && rm copy") }

  /// Stops a process. Returns when none of its threads is in a system call.
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
