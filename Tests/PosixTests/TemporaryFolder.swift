// A folder for one test, gone with it.
import Glibc

final class TemporaryFolder: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/p2pnode-posix-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary folder")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { TemporaryFolder.remove(path) }

  func callAsFunction(_ name: String) -> String { path + "/" + name }

  private static func remove(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
        if name == Array(".".utf8) || name == Array("..".utf8) { continue }
        // Names need not be UTF-8, so they stay bytes.
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

/// `count` bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return [UInt8](unsafeUninitializedCapacity: count + 8) { bytes, initialized in
    // Eight at a time: the tests run without optimisation.
    for offset in stride(from: 0, to: count, by: 8) {
      state = (state ^ state >> 29) &* 0xBF58_476D_1CE4_E5B9 &+ 0x9E37_79B9_7F4A_7C15
      UnsafeMutableRawBufferPointer(bytes).storeBytes(of: state, toByteOffset: offset, as: UInt64.self)
    }
    initialized = count
  }
}
