// The threads between network and disk: a leaf that does not hash never reaches the file.
import Content
import Posix
import Storage
import Transfer

/// Hashes blocks, writes what is right, and tells the download either way.
struct VerifyPool {
  private let jobs: BlockingQueue<VerifyJob>
  private var threads: [Thread] = []

  /// Starts `count` threads, which end when `jobs` is closed.
  init(
    count: Int, jobs: BlockingQueue<VerifyJob>, file: PartFile, blocks: BlockPool,
    control: Mailbox<DownloadMessage>
  ) {
    self.jobs = jobs
    for i in 0..<count {
      threads.append(
        Thread.start(name: "p2p-verify-\(i)") {
          while let job = jobs.take() {
            control.send(VerifyPool.perform(job, file))
            blocks.giveBack(job.block)
          }
        })
    }
  }

  /// Waits for the threads; what still waits to be verified is dropped.
  func stop() {
    jobs.close(discarding: true)
    for thread in threads { thread.join() }
  }

  private static func perform(_ job: VerifyJob, _ file: PartFile) -> DownloadMessage {
    let piece = job.piece
    for i in 0..<piece.leaves.count {
      let start = i * ChunkLayout.wireLeafSize
      let end = min(start + ChunkLayout.wireLeafSize, piece.byteCount)
      let hash = job.block.read(start..<end) { MerkleTree.leafHash($0) }
      guard hash == piece.leafHashes[i] else { return .corrupt(job.connection, piece.chunk) }
    }
    do throws(PartFileError) {
      try job.block.read(0..<piece.byteCount) { bytes throws(PartFileError) in
        try file.write(bytes, at: piece.fileOffset)
      }
    } catch {
      return .writeFailed(error)
    }
    return .verified(job.connection, piece.request, piece.chunk, piece.leaves)
  }
}
