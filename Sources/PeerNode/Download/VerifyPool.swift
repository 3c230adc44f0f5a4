// The threads between network and disk: a leaf that does not hash never reaches the file.
import Content
import Posix
import Storage
import Synchronization
import Transfer

/// The destination of verified bytes.
enum VerifiedSink: Sendable {
  case part(any PartStorage)
  case stream(OrderedStream)

  func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    switch self {
    case .part(let part): try part.write(bytes, at: offset)
    case .stream(let stream): try stream.put(bytes, at: offset)
    }
  }
}

/// Hashes the blocks of all downloads, writes those that are right, and reports each result to its download. Downloads
/// take turns. While several run, the writes of one never hold all threads.
final class VerifyPool: Sendable {
  typealias Lane = TurnsQueue<VerifyJob>.Lane

  /// Hashing and writing use a core each for a fast download; two threads at least, since a write may wait for the disk.
  private static let threadCount = max(2, min(Thread.processorCount, 8))

  private let threads = WorkThreads<VerifyJob>("p2p-verify", count: VerifyPool.threadCount) { job, clock in
    let link = job.link
    if let sink = link.sink { link.send(VerifyPool.perform(job, sink, &clock)) }
    link.blocks.verified(job.block)
  }

  /// A place for the jobs of a new download.
  func makeLane() -> Lane { threads.jobs.makeLane() }

  /// Starts the threads, unless they run.
  func start() { threads.start() }

  /// Called now and then while downloads run: starts another thread if the disks of other downloads hold all of them.
  func relieve() { threads.relieve() }

  /// False: the download takes no pieces any more.
  func put(_ new: [VerifyJob], in lane: Lane) -> Bool { threads.jobs.put(contentsOf: new, in: lane) }

  /// The download takes no pieces any more. Returns jobs that are dropped. Called once a lane.
  /// - `discarding`: whether jobs that wait are dropped.
  /// - `onEnd`: called when the last result was reported.
  func close(_ lane: Lane, discarding: Bool, onEnd: @escaping @Sendable () -> Void) -> [VerifyJob] {
    threads.jobs.close(lane, discarding: discarding, onEnd: onEnd)
  }

  /// Waits for the threads. Every lane was closed.
  func stop() { threads.stop() }

  private static func perform(_ job: VerifyJob, _ sink: VerifiedSink, _ clock: inout LoopClock) -> DownloadMessage {
    let piece = job.piece
    let isRight = job.block.read(0..<piece.byteCount) { piece.isMatched(by: $0) }
    guard isRight else { return .corrupt(job.connection, piece.chunk) }
    do throws(PartFileError) {
      let began = clock.now()
      if piece.needed == piece.leaves.mask {
        try job.block.read(0..<piece.byteCount) { bytes throws(PartFileError) in
          try sink.write(bytes, at: piece.fileOffset)
        }
      } else {
        for kept in piece.neededParts {
          try job.block.read(kept.bytes) { bytes throws(PartFileError) in try sink.write(bytes, at: kept.fileOffset) }
        }
      }
      return .verified(
        job.connection, piece.request, piece.chunk, piece.leaves, needed: piece.needed,
        leafHashes: piece.chunkLeafHashes, writing: clock.now() - began)
    } catch {
      return .writeFailed(error)
    }
  }
}
