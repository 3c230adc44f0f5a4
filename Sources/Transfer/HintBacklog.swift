// Hints that wait until a connection has room for them: merged, so that what waits is bounded by the files themselves.
import Content
import Wire

/// HAVE, PROMISED and PEERS of one connection that are not sent yet. HAVE waits as a mask of leaves per chunk and is never
/// dropped; PROMISED and PEERS beyond a bound are, since nothing follows from them. Not shared between threads.
public struct HintBacklog: Sendable {
  /// Chunks of PROMISED that wait, over all files: one frame's worth. By the time of more, most of it is no news.
  public static let promisedMax = ProtocolLimits.promisedChunksMax
  /// The longest frame of hints, in bytes: small beside a piece, so that no answer waits long behind it.
  public static let frameBytesMax = 16 << 10
  private static let haveRunsPerFrame = (frameBytesMax - 11) / 6
  private static let promisedPerFrame = (frameBytesMax - 11) / 4

  private struct Waiting: Sendable {
    /// The keys of `leaves` in the order in which they came.
    var chunks: [ChunkIndex] = []
    var leaves: [ChunkIndex: UInt64] = [:]
    /// In the order in which they came, each once.
    var promised: [ChunkIndex] = []
    var isPromised: Set<ChunkIndex> = []
    var peers: [PeerExchange.Entry] = []
    var isEmpty: Bool { chunks.isEmpty && promised.isEmpty && peers.isEmpty }
  }

  private var waiting: [FileHandle: Waiting] = [:]
  /// The keys of `waiting` in the order in which they came.
  private var handles: [FileHandle] = []
  private var haveCount = 0
  private var promisedCount = 0
  private var peersCount = 0

  public init() {}

  public var isEmpty: Bool { handles.isEmpty }

  /// About how many bytes of memory wait.
  public var byteCount: Int { haveCount * 32 + promisedCount * 24 + peersCount * 128 }

  // MARK: What waits

  /// Leaves of a file that is here in part.
  public mutating func add(_ runs: [LeafRun], of handle: FileHandle) {
    guard !runs.isEmpty else { return }
    enter(handle)
    for run in runs {
      if waiting[handle]!.leaves[run.chunk] == nil {
        waiting[handle]!.chunks.append(run.chunk)
        haveCount += 1
      }
      waiting[handle]!.leaves[run.chunk, default: 0] |= run.leaves.mask
    }
  }

  /// Chunks that others were promised.
  public mutating func add(promised chunks: [ChunkIndex], of handle: FileHandle) {
    guard !chunks.isEmpty, promisedCount < HintBacklog.promisedMax else { return }
    enter(handle)
    for chunk in chunks where promisedCount < HintBacklog.promisedMax {
      guard waiting[handle]!.isPromised.insert(chunk).inserted else { continue }
      waiting[handle]!.promised.append(chunk)
      promisedCount += 1
    }
  }

  /// Others that have the file, or a part of it: as many wait as one PEERS can hold.
  public mutating func add(peers: [PeerExchange.Entry], of handle: FileHandle) {
    guard !peers.isEmpty else { return }
    enter(handle)
    let added = peers.prefix(ProtocolLimits.peersMax - waiting[handle]!.peers.count)
    waiting[handle]!.peers += added
    peersCount += added.count
  }

  private mutating func enter(_ handle: FileHandle) {
    guard waiting[handle] == nil else { return }
    waiting[handle] = Waiting()
    handles.append(handle)
  }

  /// The handle is gone.
  public mutating func remove(_ handle: FileHandle) {
    guard let gone = waiting.removeValue(forKey: handle) else { return }
    handles.removeAll { $0 == handle }
    haveCount -= gone.chunks.count
    promisedCount -= gone.promised.count
    peersCount -= gone.peers.count
  }

  /// Memory is short: what is not needed goes.
  public mutating func dropPromisedAndPeers() {
    for handle in handles {
      (waiting[handle]!.promised, waiting[handle]!.isPromised, waiting[handle]!.peers) = ([], [], [])
      if waiting[handle]!.isEmpty { remove(handle) }
    }
    (promisedCount, peersCount) = (0, 0)
  }

  // MARK: What is sent

  /// The next message; nil if nothing waits. One file after the other, HAVE first.
  public mutating func next() -> Message? {
    guard let handle = handles.first else { return nil }
    defer { if waiting[handle]!.isEmpty { remove(handle) } }
    if !waiting[handle]!.chunks.isEmpty { return .have(Have(handle: handle, runs: takeRuns(of: handle))) }
    if !waiting[handle]!.promised.isEmpty {
      return .promised(Promised(handle: handle, chunks: takePromised(of: handle)))
    }
    defer {
      peersCount -= waiting[handle]!.peers.count
      waiting[handle]!.peers = []
    }
    return .peers(PeerExchange(handle: handle, entries: waiting[handle]!.peers))
  }

  private mutating func takeRuns(of handle: FileHandle) -> [LeafRun] {
    var runs: [LeafRun] = []
    var count = 0
    for chunk in waiting[handle]!.chunks {
      let more = LeafRun.runs(of: waiting[handle]!.leaves[chunk]!, in: chunk)
      if runs.count + more.count > HintBacklog.haveRunsPerFrame { break }
      runs += more
      waiting[handle]!.leaves[chunk] = nil
      count += 1
    }
    waiting[handle]!.chunks.removeFirst(count)
    haveCount -= count
    return runs
  }

  private mutating func takePromised(of handle: FileHandle) -> [ChunkIndex] {
    let chunks = Array(waiting[handle]!.promised.prefix(HintBacklog.promisedPerFrame))
    waiting[handle]!.promised.removeFirst(chunks.count)
    for chunk in chunks { waiting[handle]!.isPromised.remove(chunk) }
    promisedCount -= chunks.count
    return chunks
  }
}
