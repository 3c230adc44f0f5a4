// Hashes one file. Any thread may read and hash any of its chunks, in any order.
import Content
import Posix
import SQLite
import Synchronization

/// The result of hashing a file, with the status that the file had before and after.
struct HashedFile: Sendable {
  let tree: HashTree
  let status: FileStatus
  /// As `KnownFile.isYoung`.
  let isYoung: Bool
}

/// A file to hash. The first thread that reaches it opens it. It holds 32 bytes a chunk, and only while threads work on
/// it.
final class HashJob: Sendable {
  /// The path for reports: relative to the served folder, or as the user gave it.
  let path: String
  let layout: ChunkLayout
  /// The file's status when it was listed.
  private let expected: FileStatus
  /// Nil if the leaf hashes are not kept.
  let draft: HashDraft?
  private let now: @Sendable () -> FileTime
  private let open: @Sendable () throws(Errno) -> File

  private struct State {
    var source: Source?
    var chunkHashes: [Digest] = []
    var missingCount: Int
    var failure: SkipReason?
  }
  private let state: Mutex<State>

  /// The open file, shared by the threads that read it.
  private final class Source: Sendable {
    let file: File
    let isYoung: Bool
    init(_ file: consuming File, isYoung: Bool) {
      self.file = file
      self.isYoung = isYoung
    }
  }

  /// Nil if the file is longer than the protocol allows.
  init?(
    path: String, expected: FileStatus, draft: HashDraft?, now: @escaping @Sendable () -> FileTime = { Clock.fileTime },
    open: @escaping @Sendable () throws(Errno) -> File
  ) {
    guard let layout = ChunkLayout(fileLength: expected.size) else { return nil }
    self.path = path
    self.layout = layout
    self.expected = expected
    self.draft = draft
    self.now = now
    self.open = open
    state = Mutex(State(missingCount: max(1, layout.chunkCount)))
  }

  /// The number of tasks: one for each chunk, or one for the check of an empty file.
  var taskCount: Int { max(1, layout.chunkCount) }

  /// The bytes that a task covers.
  func byteCount(ofTask task: Int) -> Int { layout.chunkCount == 0 ? 0 : layout.length(of: ChunkIndex(UInt32(task))) }

  /// Does one task with the thread's own buffer. The call that does the last task returns the outcome; the others
  /// return nil. Every task is done exactly once; after a failure the other tasks cost nothing.
  func run(task: Int, buffer: inout [UInt8]) -> Result<HashedFile, SkipReason>? {
    var hash: Digest?
    var failure: SkipReason?
    do throws(SkipReason) {
      if let source = try source(), layout.chunkCount > 0 {
        hash = try hashChunk(ChunkIndex(UInt32(task)), of: source, &buffer)
      }
    } catch {
      failure = error
    }
    let end: State? = state.withLock { state in
      if let hash { state.chunkHashes[task] = hash }
      if state.failure == nil { state.failure = failure }
      state.missingCount -= 1
      guard state.missingCount == 0 else { return nil }
      let end = state
      state.source = nil
      state.chunkHashes = []
      return end
    }
    return end.map(outcome)
  }

  /// Returns the open file. Nil if the job has already failed.
  private func source() throws(SkipReason) -> Source? {
    let result: Result<Source?, SkipReason> = state.withLock { state in
      if state.failure != nil { return .success(nil) }
      if let source = state.source { return .success(source) }
      do throws(SkipReason) {
        let source = try makeSource()
        state.chunkHashes = [Digest](repeating: .zero, count: layout.chunkCount)
        state.source = source
        return .success(source)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private func makeSource() throws(SkipReason) -> Source {
    let file = try attempt(open, orThrow: SkipReason.io)
    let status = try attempt({ () throws(Errno) in try file.status() }, orThrow: SkipReason.io)
    // Another file or a FIFO may have taken the name since the file was listed.
    guard status.kind == .regular else { throw .notRegular }
    guard status.sameContent(as: expected) else { throw .changed }
    let isYoung = !status.isOld(seconds: YoungFiles.seconds, at: now())
    draft?.begin(status, isYoung: isYoung)
    return Source(file, isYoung: isYoung)
  }

  /// Reads a chunk in pieces of the buffer's size. Gives its leaf hashes to the draft, if there is one.
  private func hashChunk(_ chunk: ChunkIndex, of source: Source, _ buffer: inout [UInt8]) throws(SkipReason) -> Digest {
    let start = layout.offset(of: chunk)
    let length = layout.length(of: chunk)
    if let earlier = draft?.earlier(chunk, count: layout.leafCount(of: chunk)) {
      return layout.chunkHash(earlier, of: chunk)
    }
    var leafHashes: [Digest] = []
    // Reserves only what is needed, because a small file may be one of very many.
    leafHashes.reserveCapacity(layout.leafCount(of: chunk))
    var isCut = false
    if length > ParallelHash.bufferBytes { source.file.willRead(from: start, count: length) }
    do throws(Errno) {
      for piece in stride(from: 0, to: length, by: ParallelHash.bufferBytes) {
        let wanted = min(ParallelHash.bufferBytes, length - piece)
        var span = buffer.mutableSpan
        var bytes = span.mutableBytes
        let count = try source.file.read(at: start + UInt64(piece), count: wanted, into: &bytes)
        isCut = count < wanted
        if isCut { break }
        leafHashes += MerkleTree.leafHashes(bytes.bytes.extracting(first: wanted), leafSize: layout.leafSize)
      }
    } catch {
      throw .io(error)
    }
    guard !isCut else { throw .changed }
    // The leaf hash of a file of one leaf is the root.
    if let draft, layout.fileLength > UInt64(layout.leafSize) {
      do throws(DatabaseError) { try draft.add(ChunkLeaves(chunk: chunk, hashes: leafHashes)) } catch {
        throw .cannotKeep(error)
      }
    }
    return layout.chunkHash(leafHashes, of: chunk)
  }

  /// Returns the outcome of a job whose tasks are all done. The file must still be what it was.
  private func outcome(of end: State) -> Result<HashedFile, SkipReason> {
    if let failure = end.failure { return .failure(failure) }
    guard let source = end.source, let tree = HashTree(layout, chunkHashes: end.chunkHashes) else {
      preconditionFailure("a job without failure has opened its file and hashed every chunk")
    }
    do throws(Errno) {
      let status = try source.file.status()
      guard status.sameContent(as: expected) else { return .failure(.changed) }
      return .success(HashedFile(tree: tree, status: status, isYoung: source.isYoung))
    } catch {
      return .failure(.io(error))
    }
  }
}
