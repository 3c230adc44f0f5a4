// A file that tests move, with everything that is known of it, and folders to move it in.
import Content
import Glibc
import Storage

/// A file's bytes and hashes.
struct Sample: Sendable {
  let name: String
  let bytes: [UInt8]
  let file: FileHash
  let tree: HashTree
  /// By chunk.
  let leafHashes: [[Digest]]

  var fileID: FileID { file.fileID }
  var layout: ChunkLayout { file.layout }

  init(_ name: String = "sample.bin", byteCount: Int, seed: UInt64 = 1) {
    self.init(name, bytes: pattern(byteCount, seed: seed))
  }

  init(_ name: String, bytes: [UInt8]) {
    var state = FileHashState()
    // No test has a file that is too long.
    var chunks = try! state.feed(bytes.span.bytes)
    let (file, last) = state.finish()
    if let last { chunks.append(last) }
    self.name = name
    self.bytes = bytes
    self.file = file
    tree = HashTree(file)
    leafHashes = chunks.map(\.leafHashes)
  }

  /// The bytes of a run of leaves.
  func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8] {
    let start = Int(layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(bytes[start..<start + layout.length(of: leaves, in: chunk)])
  }

  /// Three chunks and a bit.
  static let common = Sample(byteCount: 3 * ChunkLayout.wireChunkSize + 20_000)
  /// Two leaves and a bit, so one chunk.
  static let small = Sample("small.bin", byteCount: 40_000, seed: 2)
}

/// `count` bytes that differ from place to place.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
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

/// A folder for one test, gone with it. Without folders in it.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/p2pnode-node-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary folder")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names { unlink(self(name)) }
    rmdir(path)
  }

  func callAsFunction(_ name: String) -> String { path + "/" + name }

  func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o644) {
    let number = open(self(name), O_WRONLY | O_CREAT | O_TRUNC, mode_t(mode))
    precondition(number >= 0, "cannot write \(name)")
    precondition(Glibc.write(number, bytes, bytes.count) == bytes.count, "cannot write \(name)")
    close(number)
  }

  func read(_ name: String) -> [UInt8]? {
    let number = open(self(name), O_RDONLY)
    guard number >= 0 else { return nil }
    defer { close(number) }
    var bytes = [UInt8](repeating: 0, count: Int(lseek(number, 0, SEEK_END)))
    return pread(number, &bytes, bytes.count, 0) == bytes.count ? bytes : nil
  }

  var names: [String] {
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
