// The actions and reports of a download.
import Content
import Wire

/// Why the download lets a connection go.
public enum DisconnectReason: Hashable, Sendable { case banned, duplicate, done }

/// Why a chunk is tried again.
public enum RetryReason: Hashable, Sendable {
  /// It was not verified within `chunkTimeout`.
  case timeout
  /// The connection ended while it was first in line.
  case connectionLost(LossReason)
}

/// A report, for a log line.
public enum DownloadReport: Hashable, Sendable {
  /// Comes before any report of a chunk.
  case started(chunks: Int, peers: Int)
  /// The number of workers at the start.
  case usingWorkers(Int)
  /// `finished` counts complete chunks, also resumed ones. `bytes`: the bytes of the chunk that this download fetched.
  case chunkDone(
    chunk: ChunkIndex, worker: Int, finished: Int, total: Int, peer: PeerID, latency: Duration, bytes: Int)
  /// A chunk is tried again after a delay; `attempt` counts from 1.
  case chunkRetry(chunk: ChunkIndex, peer: PeerID, reason: RetryReason, attempt: Int, delay: Duration)
  /// Out of retries.
  case chunkFailed(chunk: ChunkIndex, peer: PeerID)
  /// A second peer is asked for leaves that are late or wait at the first: the missing part of a chunk, or its tail.
  case chunkHedged(chunk: ChunkIndex, peer: PeerID, second: PeerID, bytes: Int)
  /// A failure of a peer, as its statistics count them.
  case peerFailed(PeerID, PeerFailure)
  /// For a lie: it is the only reason for a ban.
  case peerBanned(PeerID)
  /// A peer has the file, or some of it.
  case peerJoined(PeerID)
  /// A peer that had joined serves no longer.
  case peerLost(PeerID, PeerLossReason)
}

extension DownloadReport {
  /// Whether it is about a peer, and not about a chunk.
  public var isAboutPeer: Bool {
    switch self {
    case .peerFailed, .peerBanned, .peerJoined, .peerLost: true
    case .started, .usingWorkers, .chunkDone, .chunkRetry, .chunkFailed, .chunkHedged: false
    }
  }
}

/// The reason why a peer loses score or is banned.
public enum PeerFailure: Hashable, Sendable {
  /// A chunk, or the hashes of a page of chunks, did not come in time.
  case timeout
  /// The connection ended with requests in flight.
  case connectionLost(LossReason)
  /// It sent nothing of a chunk before a second peer had sent it.
  case overtaken(ChunkIndex)
  /// What it sent does not verify.
  case lie
}

/// Why a peer no longer serves.
public enum PeerLossReason: Hashable, Sendable {
  /// Its connection has ended.
  case connection(LossReason)
  /// It offers the file no longer.
  case withdrawn
}

/// The caller does actions in order, and reports back only by events.
public enum DownloadAction: Hashable, Sendable {
  case dial(PeerAddress, pinned: PeerID?, ConnectionID)
  /// Send OPEN.
  case open(ConnectionID)
  /// Make the part file ready, then `storageReady`.
  case prepareStorage(ChunkLayout)
  case fetchPage(PageIndex, ConnectionID)
  /// `needed`: the leaves that are kept, bit 0 the chunk's first. The other ones are verified and dropped.
  case request(ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64)
  case cancel(ConnectionID, RequestID)
  case disconnect(ConnectionID, DisconnectReason)
  case report(DownloadReport)
  /// These files of a folder, by the numbers of their entries, are complete: all their leaves that the download fetches
  /// are verified and written. Each comes once; files without such leaves do not come.
  case filesCompleted([UInt32])
  /// The last action.
  case finished(DownloadStats)
  /// The last action.
  case failed(DownloadFailure, DownloadStats)
}
