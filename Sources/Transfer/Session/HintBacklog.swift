// Hints that wait until a connection has room for them. Hints are merged, so that the lengths of the files bound their
// size.
import Content
import Wire

/// HAVE, PROMISED and PEERS of one connection that are not sent yet. HAVE waits as a mask of leaves per chunk and is
/// never dropped. PROMISED and PEERS beyond a bound are dropped: they are only advice. Not shared between threads.
public struct HintBacklog: Sendable {
  /// How many chunks of PROMISED wait at most, over all files: one frame. More would be outdated when sent.
  public static let promisedMax = ProtocolLimits.promisedChunksMax
  /// The longest frame of hints, in bytes: small beside a piece, so that no answer waits long behind it.
  public static let frameBytesMax = 16 << 10
  private static let haveRunsPerFrame = (frameBytesMax - 11) / 6
  private static let promisedPerFrame = (frameBytesMax - 11) / 4

  private struct Waiting: Sendable {
    let handle: FileHandle
    /// The keys of `leaves` in the order in which they came.
    var chunks: [ChunkIndex] = []
    var leaves: [ChunkIndex: UInt64] = [:]
    var promised = OrderedChunks()
    var peers: [PeerExchange.Entry] = []
    var isEmpty: Bool { chunks.isEmpty && promised.isEmpty && peers.isEmpty }
  }

  /// One entry a file, in the order of arrival. Few files wait at a time, mostly one, so a linear search is faster than
  /// hashing.
  private var waiting: [Waiting] = []
  private var haveCount = 0
  private var promisedCount = 0
  private var peersCount = 0

  public init() {}

  public var isEmpty: Bool { waiting.isEmpty }

  /// About how many bytes of memory the waiting hints take.
  public var byteCount: Int { haveCount * 32 + promisedCount * 24 + peersCount * 128 }

  // MARK: What waits

  /// Adds new leaves of a file that this node has in part.
  public mutating func add(_ runs: [LeafRun], of handle: FileHandle) {
    guard !runs.isEmpty else { return }
    let i = enter(handle)
    for run in runs {
      if waiting[i].leaves[run.chunk] == nil {
        waiting[i].chunks.append(run.chunk)
        haveCount += 1
      }
      waiting[i].leaves[run.chunk, default: 0] |= run.leaves.mask
    }
  }

  /// Adds chunks that were promised to other peers.
  public mutating func add(promised chunks: [ChunkIndex], of handle: FileHandle) {
    guard !chunks.isEmpty, promisedCount < HintBacklog.promisedMax else { return }
    let i = enter(handle)
    for chunk in chunks where promisedCount < HintBacklog.promisedMax {
      if waiting[i].promised.insert(chunk) { promisedCount += 1 }
    }
  }

  /// Adds peers that have the file or a part of it. At most as many wait as fit in one PEERS.
  public mutating func add(peers: [PeerExchange.Entry], of handle: FileHandle) {
    guard !peers.isEmpty else { return }
    let i = enter(handle)
    let added = peers.prefix(ProtocolLimits.peersMax - waiting[i].peers.count)
    waiting[i].peers += added
    peersCount += added.count
  }

  private mutating func enter(_ handle: FileHandle) -> Int {
    if let i = waiting.firstIndex(where: { $0.handle == handle }) { return i }
    waiting.append(Waiting(handle: handle))
    return waiting.count - 1
  }

  /// Drops the hints of a closed handle.
  public mutating func remove(_ handle: FileHandle) {
    guard let i = waiting.firstIndex(where: { $0.handle == handle }) else { return }
    let gone = waiting.remove(at: i)
    haveCount -= gone.chunks.count
    promisedCount -= gone.promised.count
    peersCount -= gone.peers.count
  }

  /// Drops PROMISED and PEERS, because memory is short.
  public mutating func dropPromisedAndPeers() {
    for i in waiting.indices { (waiting[i].promised, waiting[i].peers) = (OrderedChunks(), []) }
    waiting.removeAll { $0.isEmpty }
    (promisedCount, peersCount) = (0, 0)
  }

  // MARK: What is sent

  /// Removes and returns the next message; nil if nothing waits. Sends one file after the other, HAVE first.
  public mutating func next() -> Message? {
    guard let handle = waiting.first?.handle else { return nil }
    defer { if waiting[0].isEmpty { waiting.removeFirst() } }
    if !waiting[0].chunks.isEmpty { return .have(Have(handle: handle, runs: takeRuns())) }
    if !waiting[0].promised.isEmpty {
      let chunks = waiting[0].promised.removeFirst(HintBacklog.promisedPerFrame)
      promisedCount -= chunks.count
      return .promised(Promised(handle: handle, chunks: chunks))
    }
    let peers = waiting[0].peers
    waiting[0].peers = []
    peersCount -= peers.count
    return .peers(PeerExchange(handle: handle, entries: peers))
  }

  private mutating func takeRuns() -> [LeafRun] {
    var runs: [LeafRun] = []
    var count = 0
    for chunk in waiting[0].chunks {
      let more = LeafRun.runs(of: waiting[0].leaves[existing: chunk], in: chunk)
      if runs.count + more.count > HintBacklog.haveRunsPerFrame { break }
      runs += more
      waiting[0].leaves[chunk] = nil
      count += 1
    }
    waiting[0].chunks.removeFirst(count)
    haveCount -= count
    return runs
  }
}

/// Chunks in the order of arrival, each once.
private struct OrderedChunks: Sendable {
  /// Up to this many a linear search is faster than hashing.
  private static let unhashedMax = 64

  private var chunks: [ChunkIndex] = []
  /// All of `chunks`, once they are more than `unhashedMax`; empty before that.
  private var hashed: Set<ChunkIndex> = []

  var isEmpty: Bool { chunks.isEmpty }
  var count: Int { chunks.count }

  /// Adds a chunk at the end; false if it is there already.
  mutating func insert(_ chunk: ChunkIndex) -> Bool {
    if hashed.isEmpty {
      if chunks.contains(chunk) { return false }
      if chunks.count == OrderedChunks.unhashedMax { hashed = Set(chunks) }
    }
    if !hashed.isEmpty && !hashed.insert(chunk).inserted { return false }
    chunks.append(chunk)
    return true
  }

  /// Removes and returns the first chunks, at most `count`.
  mutating func removeFirst(_ countMax: Int) -> [ChunkIndex] {
    let first = Array(chunks.prefix(countMax))
    chunks.removeFirst(first.count)
    if chunks.count <= OrderedChunks.unhashedMax {
      hashed = []
    } else {
      hashed.subtract(first)
    }
    return first
  }
}
