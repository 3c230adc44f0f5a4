// The threads between network and disk: a leaf that does not hash never reaches the file.
import Content
import Posix
import Storage
import Transfer

/// The destination of verified bytes.
enum VerifiedSink: Sendable {
  case part(PartFile)
  case stream(OrderedStream)

  func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) {
    switch self {
    case .part(let part): try part.write(bytes, at: offset)
    case .stream(let stream): try stream.put(bytes, at: offset)
    }
  }
}

/// Hashes blocks, writes those that are right, and reports each result to the download.
struct VerifyPool {
  private let jobs: BlockingQueue<VerifyJob>
  private var threads: [Thread] = []

  /// Starts `count` threads, which end when `jobs` is closed.
  init(
    count: Int, jobs: BlockingQueue<VerifyJob>, sink: VerifiedSink, blocks: BlockPool,
    control: Mailbox<DownloadMessage>
  ) {
    self.jobs = jobs
    for i in 0..<count {
      threads.append(
        Thread.start(name: "p2p-verify-\(i)") {
          var clock = LoopClock()
          while let job = jobs.take() {
            control.send(VerifyPool.perform(job, sink, &clock))
            blocks.giveBack(job.block)
          }
        })
    }
  }

  /// Waits for the threads. Blocks that still wait are verified first, unless they are dropped.
  func stop(discarding: Bool) {
    jobs.close(discarding: discarding)
    for thread in threads { thread.join() }
  }

  private static func perform(_ job: VerifyJob, _ sink: VerifiedSink, _ clock: inout LoopClock) -> DownloadMessage {
    let piece = job.piece
    let isRight = job.block.read(0..<piece.byteCount) { piece.isMatched(by: $0, leafSize: ChunkLayout.wireLeafSize) }
    guard isRight else { return .corrupt(job.connection, piece.chunk) }
    do throws(PartFileError) {
      let began = clock.now()
      try job.block.read(0..<piece.byteCount) { bytes throws(PartFileError) in
        try sink.write(bytes, at: piece.fileOffset)
      }
      return .verified(
        job.connection, piece.request, piece.chunk, piece.leaves, leafHashes: piece.chunkLeafHashes,
        writing: clock.now() - began)
    } catch {
      return .writeFailed(error)
    }
  }
}
