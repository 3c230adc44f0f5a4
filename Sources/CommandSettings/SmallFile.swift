// Reads short files that a user wrote.
import Posix

/// Short, regular files that a user wrote for this program.
package enum SmallFile {
  /// Reads all bytes of a regular file. Nil if it does not exist. `/dev/null` counts as an empty file.
  package static func read(_ path: String, bytesMax: UInt64) throws(SettingsError) -> [UInt8]? {
    if path == "/dev/null" { return [] }
    var status: FileStatus?
    var bytes: [UInt8] = []
    do throws(Errno) {
      let file = try File(path, [.read, .nonBlocking])
      let found = try file.status()
      status = found
      if found.kind == .regular && found.size <= bytesMax {
        bytes = Array(repeating: 0, count: Int(found.size))
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let count = try file.read(at: 0, into: &raw)
        bytes.removeLast(bytes.count - count)
      }
    } catch {
      if error.code == Errno.noEntry { return nil }
      throw SettingsError(.unreadable, "cannot read \(error); make it readable, or move it away")
    }
    guard let status, status.kind == .regular else {
      throw SettingsError(.unreadable, "\(path): is not a regular file; move it away, or put a file in its place")
    }
    guard status.size <= bytesMax else {
      throw SettingsError(.unreadable, "\(path): is longer than \(bytesMax) bytes; make it shorter")
    }
    return bytes
  }
}
