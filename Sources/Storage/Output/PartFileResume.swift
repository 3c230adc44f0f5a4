// What an earlier download left in a part file, believed only as far as it hashes.
import Content
import Posix
import Synchronization

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

  /// What the file system has of a range; all, where it does not know.
  fileprivate func presence(_ offset: UInt64, _ count: Int) throws(PartFileError) -> DataPresence {
    let end = offset + UInt64(count)
    do throws(Errno) {
      guard let data = try file.nextData(from: offset), data.lowerBound < end else { return .none }
      return data.lowerBound == offset && data.upperBound >= end ? .all : .some
    } catch {
      if error.code == Errno.invalid { return .all }
      throw .io(error)
    }
  }

  /// The leaves of a chunk that are right.
  fileprivate func verifiedMask(
    of known: ChunkOnDisk, in layout: ChunkLayout, _ buffer: inout [UInt8]
  ) throws(PartFileError) -> UInt64 {
    let start = layout.offset(of: known.chunk)
    let length = layout.length(of: known.chunk)
    guard known.isToBeRead(try presence(start, length)) else { return 0 }
    var leafHashes: [Digest] = []
    for leaves in layout.runs(of: known.chunk, byteCountMax: ParallelHash.bufferBytes) {
      let wanted = layout.length(of: leaves, in: known.chunk)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(at: layout.offset(ofLeaf: leaves.first, in: known.chunk), count: wanted, into: &bytes)
      leafHashes += layout.leafHashes(bytes.bytes.extracting(first: wanted), from: leaves.first, of: known.chunk)
    }
    return known.verifiedLeaves(leafHashes, in: layout)
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
