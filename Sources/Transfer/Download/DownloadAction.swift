// The actions and reports of a download.
import Content
import Wire

/// Why the download closes a connection.
public enum DisconnectReason: Hashable, Sendable { case banned, duplicate, done }

/// Why a chunk is tried again.
public enum RetryReason: Hashable, Sendable {
  /// The chunk was not verified within `chunkTimeout`.
  case timeout
  /// The connection ended while the request was first in line.
  case connectionLost(LossReason)
}

/// A report, for a log line.
public enum DownloadReport: Hashable, Sendable {
  /// Comes before any report of a chunk.
  case started(chunks: Int, peers: Int)
  /// The number of workers at the start.
  case usingWorkers(Int)
  /// `finished` counts complete chunks, including resumed ones. `bytes`: the bytes of the chunk that this download
  /// fetched.
  case chunkDone(
    chunk: ChunkIndex, worker: Int, finished: Int, total: Int, peer: PeerID, latency: Duration, bytes: Int)
  /// A chunk is tried again after a delay; `attempt` counts from 1.
  case chunkRetry(chunk: ChunkIndex, peer: PeerID, reason: RetryReason, attempt: Int, delay: Duration)
  /// A chunk is out of retries.
  case chunkFailed(chunk: ChunkIndex, peer: PeerID)
  /// A second peer is asked for leaves that are late or wait at the first peer: the missing part of a chunk, or its
  /// tail.
  case chunkHedged(chunk: ChunkIndex, peer: PeerID, second: PeerID, bytes: Int)
  /// A peer failed. The peer's statistics count each of these reports.
  case peerFailed(PeerID, PeerFailure)
  /// A peer was banned for a lie, which is the only reason for a ban.
  case peerBanned(PeerID)
  /// A peer has the file, or some of it.
  case peerJoined(PeerID)
  /// A peer that had joined no longer serves.
  case peerLost(PeerID, PeerLossReason)
}

extension DownloadReport {
  /// Whether the report is about a peer, and not about a chunk.
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
  /// A second peer sent the chunk before this peer sent any leaf of it.
  case overtaken(ChunkIndex)
  /// The peer sent data that does not verify.
  case lie
}

/// Why a peer no longer serves.
public enum PeerLossReason: Hashable, Sendable {
  /// The peer's connection has ended.
  case connection(LossReason)
  /// The peer no longer offers the file.
  case withdrawn
}

/// An action for the caller. The caller does the actions in order, and reports back only by events.
public enum DownloadAction: Hashable, Sendable {
  case dial(PeerAddress, pinned: PeerID?, ConnectionID)
  /// Send OPEN.
  case open(ConnectionID)
  /// Make the part file ready, then `storageReady`.
  case prepareStorage(ChunkLayout)
  case fetchPage(PageIndex, ConnectionID)
  /// `needed`: the leaves to keep, bit 0 the chunk's first. The others are verified and dropped.
  case request(ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64)
  case cancel(ConnectionID, RequestID)
  case disconnect(ConnectionID, DisconnectReason)
  case report(DownloadReport)
  /// These files of a folder, by the numbers of their entries, are complete: all their leaves that the download fetches
  /// are verified and written. Each file is reported once; files without such leaves are not reported.
  case filesCompleted([UInt32])
  /// The last action.
  case finished(DownloadStats)
  /// The last action.
  case failed(DownloadFailure, DownloadStats)
}
