// Threads that check which bytes of an earlier download are right.
import Content
import Posix
import Synchronization

/// Threads that each take one chunk after the other.
final class LeafSearch: Sendable {
  /// Reads a chunk and returns the mask of its right leaves. The buffer holds `ParallelHash.bufferBytes`.
  typealias Check = @Sendable (_ known: ChunkOnDisk, _ buffer: inout [UInt8]) throws(PartFileError) -> UInt64

  private struct State {
    var next = 0
    var found: [(chunk: ChunkIndex, mask: UInt64)] = []
    var failure: PartFileError?
  }

  private let chunks: [ChunkOnDisk]
  private let shouldStop: @Sendable () -> Bool
  private let check: Check
  private let state = Mutex(State())

  /// Returns the right leaves of chunks, in the chunks' order. Soon after `shouldStop` returns true, returns those
  /// found so far.
  static func found(
    _ chunks: [ChunkOnDisk], threads: Int, _ shouldStop: @escaping @Sendable () -> Bool, _ check: @escaping Check
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    let search = LeafSearch(chunks, shouldStop, check)
    search.run(threads: max(1, min(threads, chunks.count)))
    let state = search.state.withLock { $0 }
    if let failure = state.failure { throw failure }
    return state.found.sorted { $0.chunk < $1.chunk }
  }

  private init(_ chunks: [ChunkOnDisk], _ shouldStop: @escaping @Sendable () -> Bool, _ check: @escaping Check) {
    (self.chunks, self.shouldStop, self.check) = (chunks, shouldStop, check)
  }

  private func run(threads: Int) {
    let others = (1..<threads).map { i in Thread.start(name: "p2p-resume-\(i)") { self.work() } }
    work()
    for thread in others { thread.join() }
  }

  private func work() {
    var buffer = [UInt8](repeating: 0, count: ParallelHash.bufferBytes)
    while !shouldStop(), let known = claim() {
      do throws(PartFileError) {
        let mask = try check(known, &buffer)
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
