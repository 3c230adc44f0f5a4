// What an earlier download left in a part file, believed only as far as it hashes.
import Content
import Posix
import Synchronization

/// A chunk that may be on the disk, and what is known of it.
public struct ChunkOnDisk: Sendable {
  public let chunk: ChunkIndex
  /// The chunk's true hash, as of a verified page.
  public let hash: Digest
  /// The true hashes of its leaves, where they are known: then leaves count one by one.
  public let leafHashes: [Digest]?
  /// Whether its bytes are looked at also where the file system knows of none.
  public let isClaimed: Bool

  public init(_ chunk: ChunkIndex, hash: Digest, leafHashes: [Digest]? = nil, isClaimed: Bool = false) {
    self.chunk = chunk
    self.hash = hash
    self.leafHashes = leafHashes
    self.isClaimed = isClaimed
  }
}

extension PartFile {
  /// The leaves, bit 0 a chunk's first, whose bytes are there and hash to what they should; chunks without any are left
  /// out. Works on `threads` threads at once and reads only where the file system has data, or something was claimed.
  ///
  /// What was found so far is returned soon after `shouldStop` says so.
  public func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    precondition(layout.fileLength == length, "the layout is this file's")
    precondition(chunks.allSatisfy { layout.contains($0.chunk) }, "no such chunk")
    let search = LeafSearch(self, chunks, layout, shouldStop)
    search.run(threads: max(1, min(threads, chunks.count)))
    return try search.found()
  }

  /// Whether the file system has bytes for some (`all`: every one) of the range, or does not know.
  fileprivate func hasData(_ offset: UInt64, _ count: Int, all: Bool) throws(PartFileError) -> Bool {
    do throws(Errno) {
      guard let data = try file.nextData(from: offset) else { return false }
      let end = offset + UInt64(count)
      return all ? data.lowerBound == offset && data.upperBound >= end : data.lowerBound < end
    } catch {
      if error.code == Errno.invalid { return true }
      throw .io(error)
    }
  }

  /// The leaves of a chunk that are right.
  fileprivate func verifiedMask(
    of known: ChunkOnDisk, in layout: ChunkLayout, _ buffer: inout [UInt8]
  ) throws(PartFileError) -> UInt64 {
    let start = layout.offset(of: known.chunk)
    let length = layout.length(of: known.chunk)
    if !known.isClaimed {
      guard try hasData(start, length, all: known.leafHashes == nil) else { return 0 }
    }
    var leafHashes: [Digest] = []
    for piece in stride(from: 0, to: length, by: ParallelHash.bufferBytes) {
      let wanted = min(ParallelHash.bufferBytes, length - piece)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(at: start + UInt64(piece), count: wanted, into: &bytes)
      leafHashes += MerkleTree.leafHashes(bytes.bytes.extracting(first: wanted), leafSize: layout.leafSize)
    }
    if let due = known.leafHashes {
      return zip(leafHashes, due).enumerated().reduce(0) { mask, leaf in
        leaf.element.0 == leaf.element.1 ? mask | 1 << UInt64(leaf.offset) : mask
      }
    }
    return MerkleTree.chunkHash(leafHashes, in: layout) == known.hash ? layout.leaves(of: known.chunk).mask : 0
  }
}

/// Threads that take a chunk each, wherever there is one left.
private final class LeafSearch: Sendable {
  private struct State {
    var next = 0
    var found: [(chunk: ChunkIndex, mask: UInt64)] = []
    var failure: PartFileError?
  }

  private let part: PartFile
  private let chunks: [ChunkOnDisk]
  private let layout: ChunkLayout
  private let shouldStop: @Sendable () -> Bool
  private let state = Mutex(State())

  init(_ part: PartFile, _ chunks: [ChunkOnDisk], _ layout: ChunkLayout, _ shouldStop: @escaping @Sendable () -> Bool) {
    self.part = part
    self.chunks = chunks
    self.layout = layout
    self.shouldStop = shouldStop
  }

  func run(threads: Int) {
    let others = (1..<threads).map { i in Thread.start(name: "p2p-resume-\(i)") { self.work() } }
    work()
    for thread in others { thread.join() }
  }

  /// In the order of the chunks.
  func found() throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    let state = state.withLock { $0 }
    if let failure = state.failure { throw failure }
    return state.found.sorted { $0.chunk < $1.chunk }
  }

  private func work() {
    var buffer = [UInt8](repeating: 0, count: ParallelHash.bufferBytes)
    while !shouldStop(), let known = claim() {
      do throws(PartFileError) {
        let mask = try part.verifiedMask(of: known, in: layout, &buffer)
        if mask != 0 { state.withLock { $0.found.append((known.chunk, mask)) } }
      } catch {
        state.withLock { $0.failure = error }
      }
    }
  }

  private func claim() -> ChunkOnDisk? {
    state.withLock { state in
      guard state.failure == nil, state.next < chunks.count else { return nil }
      defer { state.next += 1 }
      return chunks[state.next]
    }
  }
}
