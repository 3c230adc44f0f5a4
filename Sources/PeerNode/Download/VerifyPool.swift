// The threads between network and disk, which verify each leaf before it is written to the file.
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

/// Hashes the blocks of all downloads, writes the correct ones, and reports each result to its download. Downloads take
/// turns. While several run, the writes of one never occupy all threads.
final class VerifyPool: Sendable {
  typealias Lane = TurnsQueue<VerifyJob>.Lane

  /// As many threads as cores, up to 8, since a fast download hashes and writes at once; at least two, since a write
  /// may wait for the disk.
  private static let threadCount = max(2, min(Thread.processorCount, 8))

  private let threads = WorkThreads<VerifyJob>("p2p-verify", count: VerifyPool.threadCount) { job, clock in
    let link = job.link
    if let sink = link.sink { link.send(VerifyPool.perform(job, sink, &clock)) }
    link.blocks.verified(job.block)
  }

  /// Makes a lane for the jobs of a new download.
  func makeLane() -> Lane { threads.jobs.makeLane() }

  /// Starts the threads, unless they run already.
  func start() { threads.start() }

  /// Starts another thread if stalled disks occupy all of them. Called now and then while downloads run.
  func relieve() { threads.relieve() }

  /// Queues jobs. Returns false if the lane is closed.
  func put(_ new: [VerifyJob], in lane: Lane) -> Bool { threads.jobs.put(contentsOf: new, in: lane) }

  /// Closes a lane. Returns the dropped jobs. Called once per lane.
  /// - `discarding`: whether waiting jobs are dropped.
  /// - `onEnd`: called when the last result was reported.
  func close(_ lane: Lane, discarding: Bool, onEnd: @escaping @Sendable () -> Void) -> [VerifyJob] {
    threads.jobs.close(lane, discarding: discarding, onEnd: onEnd)
  }

  /// Ends the threads and waits for them. Every lane must be closed.
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
