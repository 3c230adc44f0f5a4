// One file on its way to its hash: its chunks are claimed, read and hashed by any threads, in any order.
import Content
import Posix
import SQLite
import Synchronization

/// What hashing a file gave, with the status that the file had before and after.
struct HashedFile: Sendable {
  let tree: HashTree
  let status: FileStatus
  /// As of `KnownFile`.
  let isYoung: Bool
}

/// A file to be hashed, opened by the first thread that comes to it. It holds 32 bytes a chunk, and only while threads
/// are at it.
final class HashJob: Sendable {
  /// As reported: relative to the served folder, or as the user gave it.
  let path: String
  let layout: ChunkLayout
  /// What the file was when it was listed.
  private let expected: FileStatus
  /// Nil where the leaf hashes are not to be kept.
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

  /// Nil where the file is longer than a file can be.
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

  /// How many pieces of work the file is: its chunks, or one look at an empty file.
  var taskCount: Int { max(1, layout.chunkCount) }

  /// Bytes that a piece of work covers.
  func byteCount(ofTask task: Int) -> Int { layout.chunkCount == 0 ? 0 : layout.length(of: ChunkIndex(UInt32(task))) }

  /// Does one piece of work with the thread's own buffer. Gives the outcome to the one caller that did the last piece.
  /// Every piece is done exactly once; after a failure the rest cost nothing.
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

  /// The open file; nil where the job has already failed.
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
    // Another file, a FIFO, may have taken the name since it was listed.
    guard status.kind == .regular else { throw .notRegular }
    guard status.sameContent(as: expected) else { throw .changed }
    return Source(file, isYoung: !status.isOld(seconds: YoungFiles.seconds, at: now()))
  }

  /// Reads a chunk in pieces of the buffer's size and keeps its leaf hashes where that was asked for.
  private func hashChunk(_ chunk: ChunkIndex, of source: Source, _ buffer: inout [UInt8]) throws(SkipReason) -> Digest {
    let start = layout.offset(of: chunk)
    let length = layout.length(of: chunk)
    var leafHashes: [Digest] = []
    // A small file may be one of very many.
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
    // The leaf of a file of one leaf hashes to the root.
    if let draft, layout.fileLength > UInt64(layout.leafSize) {
      do throws(DatabaseError) { try draft.add(ChunkLeaves(chunk: chunk, hashes: leafHashes)) } catch {
        throw .cannotKeep(error)
      }
    }
    return layout.chunkHash(leafHashes, of: chunk)
  }

  /// Judges a job whose pieces are all done: the file must still be what it was.
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
