// A folder for one test, removed at its end.
import Glibc

package final class TemporaryFolder: Sendable {
  package let path: String

  package init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/p2pnode-test-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary folder")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { TemporaryFolder.remove(path) }

  package func callAsFunction(_ name: String) -> String { path + "/" + name }

  private static func remove(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
        if name == Array(".".utf8) || name == Array("..".utf8) { continue }
        // Names need not be UTF-8, so keep them as bytes.
        var full = Array(path.utf8) + [UInt8(ascii: "/")] + name + [0]
        var raw = stat()
        let isFolder = full.withUnsafeBytes {
          lstat($0.bindMemory(to: CChar.self).baseAddress!, &raw) == 0 && raw.st_mode & S_IFMT == S_IFDIR
        }
        if isFolder {
          remove(path + "/" + String(decoding: name, as: UTF8.self))
        } else {
          full.withUnsafeMutableBytes { _ = unlink($0.bindMemory(to: CChar.self).baseAddress!) }
        }
      }
      closedir(stream)
    }
    rmdir(path)
  }
}

extension TemporaryFolder {
  /// Writes into a file at an offset. Makes the file and the folders above it if they are missing.
  package func write(_ name: String, _ bytes: [UInt8], at offset: Int = 0, mode: UInt32 = 0o644) {
    var folder = path
    for component in name.split(separator: "/").dropLast() {
      folder += "/" + component
      mkdir(folder, 0o755)
    }
    let number = open(self(name), O_WRONLY | O_CREAT, mode_t(mode))
    precondition(number >= 0, "cannot write \(name)")
    precondition(pwrite(number, bytes, bytes.count, off_t(offset)) == bytes.count, "cannot write \(name)")
    fchmod(number, mode_t(mode))
    close(number)
  }

  /// Makes a sparse file of zeros, which takes no disk space.
  package func makeZeros(_ name: String, byteCount: Int) {
    write(name, [])
    precondition(truncate(self(name), off_t(byteCount)) == 0, "cannot make \(name)")
  }

  package func read(_ name: String) -> [UInt8]? {
    let number = open(self(name), O_RDONLY)
    guard number >= 0 else { return nil }
    defer { close(number) }
    var bytes = [UInt8](repeating: 0, count: Int(lseek(number, 0, SEEK_END)))
    return pread(number, &bytes, bytes.count, 0) == bytes.count ? bytes : nil
  }

  package func mode(_ name: String) -> UInt32? {
    var raw = stat()
    return lstat(self(name), &raw) == 0 ? UInt32(raw.st_mode & 0o7777) : nil
  }

  package func exists(_ name: String) -> Bool { mode(name) != nil }

  package var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
