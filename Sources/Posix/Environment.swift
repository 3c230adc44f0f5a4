// What this process inherited: variables, home folder, user, file mode mask.
import Glibc

/// The environment of this process.
public enum Environment {
  /// Returns the value of a variable; nil if it is not set or is empty. Do not call it while another thread sets a
  /// variable (this program never does). The corresponding C function is `getenv`.
  public static func variable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }

  /// The user's home folder: $HOME, else the one in the user database; nil if neither has one. The corresponding C
  /// function is `getpwuid_r`.
  public static var homeFolder: String? {
    if let home = variable("HOME"), home.utf8.first == UInt8(ascii: "/") { return home }
    var record = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwuid_r(geteuid(), &record, &buffer, buffer.count, &found) == 0, found != nil, let folder = record.pw_dir
    else { return nil }
    let text = String(cString: folder)
    return text.utf8.first == UInt8(ascii: "/") ? text : nil
  }

  /// The user's folder for sockets and similar files, removed at logout: $XDG_RUNTIME_DIR; nil if there is none.
  public static var runtimeFolder: String? {
    guard let folder = variable("XDG_RUNTIME_DIR"), folder.utf8.first == UInt8(ascii: "/") else { return nil }
    return folder
  }

  /// Returns a path as an absolute path, without resolving links. Nil if the working folder of this process was
  /// removed. The corresponding C function is `getcwd`.
  public static func absolutePath(_ path: String) -> String? {
    if path.utf8.first == UInt8(ascii: "/") { return path }
    guard let here = getcwd(nil, 0) else { return nil }
    defer { free(here) }
    var rest = Substring(path)
    while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
    let folder = String(cString: here)
    return folder == "/" ? "/\(rest)" : "\(folder)/\(rest)"
  }

  /// The user with whose rights this process opens files. The corresponding C function is `geteuid`.
  public static var userID: UInt32 { UInt32(geteuid()) }

  /// The corresponding C function is `getpid`.
  public static var processID: Int32 { getpid() }

  /// The bits that are removed from the mode of a new file, such as 0o022. Read from /proc, since `umask` can only be
  /// read by setting it for all threads.
  public static var fileModeMask: UInt32 {
    if let mask = try? maskFromProc() { return mask }
    let mask = umask(0o077)
    umask(mask)
    return UInt32(mask)
  }

  private static func maskFromProc() throws(Errno) -> UInt32? {
    let file = try File("/proc/self/status", .read)
    var text = [UInt8](repeating: 0, count: 4096)
    var span = text.mutableSpan
    var bytes = span.mutableBytes
    let count = try file.read(at: 0, into: &bytes)
    for line in text[..<count].split(separator: UInt8(ascii: "\n")) {
      guard let rest = line.dropping(prefix: "Umask:") else { continue }
      return UInt32(String(decoding: rest.filter { $0 > UInt8(ascii: " ") }, as: UTF8.self), radix: 8)
    }
    return nil
  }
}

extension ArraySlice<UInt8> {
  /// Returns the bytes after a prefix; nil if they do not start with it.
  fileprivate func dropping(prefix: StaticString) -> ArraySlice<UInt8>? {
    let expected = prefix.withUTF8Buffer { Array($0) }
    return starts(with: expected) ? dropFirst(expected.count) : nil
  }
}

/// Overwrites bytes with zeros, in a way that the compiler cannot remove. The corresponding C function is
/// `explicit_bzero`.
public func wipe(_ bytes: inout MutableRawSpan) {
  bytes.withUnsafeMutableBytes { bytes in
    if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
  }
}
