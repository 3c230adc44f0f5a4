// The leaf hashes of all served files, 32 bytes a leaf, in a file without a name: too many for memory, gone with us.
import Content
import Posix
import Synchronization

/// Where one file's leaf hashes begin in a `LeafStore`; they follow one another in the file's order.
struct LeafRegion: Hashable, Sendable {
  let offset: UInt64
}

/// An unlinked temporary file of leaf hashes: a region is appended for each file, written by several threads and read
/// per request. 0.2 % of the data that it describes.
final class LeafStore: Sendable {
  private static let attemptsMax = 1000
  private let file: File
  private let end = Mutex<UInt64>(0)

  /// Makes the file in a folder that must exist, and removes its name at once.
  init(in folder: String) throws(Errno) { file = try LeafStore.makeFile(in: try Directory(folder)) }

  private static func makeFile(in directory: borrowing Directory) throws(Errno) -> File {
    for attempt in 0..<attemptsMax {
      let name = ".leaves-\(Environment.processID)-\(attempt)"
      do throws(Errno) {
        let file = try directory.open(name, [.readWrite, .createExclusive], mode: 0o600)
        try directory.remove(name)
        return file
      } catch {
        // Another store of this process, or what a killed one with our number left behind.
        if error.code != Errno.exists { throw error }
      }
    }
    throw Errno(code: Errno.exists, call: "openat", subject: directory.path)
  }

  /// A new region for a file of that layout.
  func makeRegion(_ layout: ChunkLayout) -> LeafRegion {
    let leaves = (layout.fileLength + UInt64(layout.leafSize) - 1) / UInt64(layout.leafSize)
    return end.withLock { end in
      defer { end += leaves * UInt64(Digest.byteCount) }
      return LeafRegion(offset: end)
    }
  }

  /// Keeps the hashes of all leaves of a chunk.
  func write(_ hashes: [Digest], of chunk: ChunkIndex, in layout: ChunkLayout, to region: LeafRegion) throws(Errno) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(hashes.count * Digest.byteCount)
    for hash in hashes { hash.append(to: &bytes) }
    try file.write(bytes.span.bytes, at: LeafStore.offset(of: chunk, in: layout, region))
  }

  /// The hashes of all leaves of a chunk.
  func read(of chunk: ChunkIndex, in layout: ChunkLayout, from region: LeafRegion) throws(Errno) -> [Digest] {
    let count = layout.leafCount(of: chunk)
    var bytes = [UInt8](repeating: 0, count: count * Digest.byteCount)
    var span = bytes.mutableSpan
    var buffer = span.mutableBytes
    guard try file.read(at: LeafStore.offset(of: chunk, in: layout, region), into: &buffer) == bytes.count else {
      throw Errno(code: Errno.inputOutput, call: "pread", subject: file.path)
    }
    return (0..<count).map { Digest(bytes.span.bytes, at: $0 * Digest.byteCount) }
  }

  private static func offset(of chunk: ChunkIndex, in layout: ChunkLayout, _ region: LeafRegion) -> UInt64 {
    region.offset + UInt64(chunk.rawValue) * UInt64(layout.leavesPerChunk * Digest.byteCount)
  }
}
