// Whether an output can have its name is checked before the download. A resume that is no longer wanted ends.
import Content
import Posix
import Synchronization
import Testing
import TestSupport

@testable import Storage

@Suite struct PartFilePlaceTests {
  let fileID = FileID(kind: .file, length: 3 << 20, root: Digest(Array(repeating: 1, count: 32))!)

  @Test func `a folder is never replaced by a file, even by force`() throws {
    let folder = TemporaryFolder()
    try Directory.make(folder("data"), mode: 0o755)
    folder.write("old", [1])
    let part = try PartFile(inFolder: folder.path, fileID: fileID, length: 3 << 20)
    #expect(throws: PartFileError.notAFile(path: folder("data"), what: "a folder")) {
      try part.checkPlace("data", force: true)
    }
    try part.checkPlace("old", force: true)
    try part.checkPlace("new", force: true)
    #expect(throws: PartFileError.exists(path: folder("old"))) { try part.checkPlace("old", force: false) }
    #expect(throws: PartFileError.self) { try part.checkPlace(String(repeating: "x", count: 300), force: true) }
  }

  @Test func `verifying a part file ends soon after a stop is requested`() throws {
    let folder = TemporaryFolder()
    let layout = ChunkLayout(fileLength: 3 << 20)!
    let part = try PartFile(inFolder: folder.path, fileID: fileID, length: 3 << 20)
    let chunk = [UInt8](repeating: 7, count: 1 << 20)
    for i in 0..<3 { try part.write(chunk.span.bytes, at: UInt64(i) << 20) }
    let leaves = MerkleTree.leafHashes(chunk.span.bytes, leafSize: layout.leafSize)
    let hashes = Array(repeating: MerkleTree.chunkHash(leaves, in: layout), count: 3)
    let asked = Mutex(0)
    let found = try part.verifiedChunks(from: 0, hashes: hashes, in: layout, threads: 1) {
      asked.withLock { asked in
        asked += 1
        return asked > 1
      }
    }
    #expect(found == [0])
    #expect(try part.verifiedChunks(from: 0, hashes: hashes, in: layout).count == 3)
  }
}
