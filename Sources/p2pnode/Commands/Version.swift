// The version of the program, and what `--version` prints.
import CCommit

enum Version {
  /// The version of the program, its manual and its packages. They read it with `--version`.
  static let number = "0.1.0"
  /// The commit that the build named (`scripts/commit`). Empty if it named none.
  static var commit: String { String(cString: p2pnode_commit()) }

  /// Returns the line that `--version` prints.
  static func line(commit: String = Version.commit) -> String {
    commit.isEmpty ? "p2pnode \(number)" : "p2pnode \(number) (\(commit))"
  }
}
