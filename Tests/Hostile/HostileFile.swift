// The files of the cases: long, cheap to write and to hash. All hashes are known without reading the file.
import Content
import Glibc
import TestSupport

/// A file of whole chunks. Only four of them differ, so 2,000 chunks cost the memory of four.
struct HostileFile: AnsweredFile {
  /// A chunk's bytes and hashes.
  struct Part: Sendable {
    let bytes: [UInt8]
    let leafHashes: [Digest]
    let hash: Digest
  }

  static let name = "data.bin"
  var name: String { HostileFile.name }
  private static let parts: [Part] = {
    let bytes = pattern(4 << 20, seed: 12)
    var state = FileHashState()
    guard let chunks = try? state.feed(bytes.span.bytes) else { preconditionFailure("four chunks are a file") }
    return chunks.enumerated().map { i, chunk in
      Part(bytes: Array(bytes[i << 20..<(i + 1) << 20]), leafHashes: chunk.leafHashes, hash: chunk.hash)
    }
  }()

  let layout: ChunkLayout
  let tree: HashTree
  let fileID: FileID

  var chunkCount: Int { layout.chunkCount }

  init(chunkCount: Int) {
    let length = UInt64(chunkCount) << 20
    let hashes = (0..<chunkCount).map { HostileFile.parts[$0 % 4].hash }
    guard let layout = ChunkLayout(fileLength: length), let tree = HashTree(layout, chunkHashes: hashes) else {
      preconditionFailure("a file has at most 2^20 chunks")
    }
    (self.layout, self.tree) = (layout, tree)
    fileID = FileID(kind: .file, length: length, root: tree.root)
  }

  func part(_ chunk: ChunkIndex) -> Part { HostileFile.parts[Int(chunk.rawValue) % 4] }

  func leafHashes(of chunk: ChunkIndex) -> [Digest] { part(chunk).leafHashes }

  func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8] {
    Array(part(chunk).bytes[leaves.first << 14..<leaves.end << 14])
  }

  /// Writes the file into a folder.
  func write(in folder: String, as name: String = HostileFile.name) throws {
    let descriptor = open("\(folder)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Missing("cannot write \(folder)/\(name)") }
    defer { close(descriptor) }
    for chunk in 0..<chunkCount {
      let bytes = HostileFile.parts[chunk % 4].bytes
      guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Missing("\(folder) is full") }
    }
  }

  /// Whether the file at a path has exactly these bytes.
  func matches(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard lseek(descriptor, 0, SEEK_END) == chunkCount << 20 else { return false }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    for chunk in 0..<chunkCount {
      guard pread(descriptor, &bytes, bytes.count, off_t(chunk) << 20) == bytes.count,
        memcmp(bytes, HostileFile.parts[chunk % 4].bytes, bytes.count) == 0
      else { return false }
    }
    return true
  }
}
