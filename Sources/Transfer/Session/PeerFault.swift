// The faults of a peer in its answers and its requests.
import Content
import Wire

/// What a peer did wrong in answering.
public enum PeerFault: Error, Hashable, Sendable {
  /// Leaf hashes that do not hash up to the chunk hash, or too few or many: a lie, for a ban.
  case lie
  /// The protocol was broken: the connection is closed.
  case violation(Violation)

  public enum Violation: Hashable, Sendable {
    /// An id that was never sent, or whose answer ended.
    case unknownRequest
    /// An answer overtook one that was not cancelled.
    case answerOutOfOrder
    /// Leaves that were not the next, or not asked for.
    case unexpectedLeaves
    case wrongByteCount
    /// Leaf hashes that were asked for and are missing, or that were not asked for.
    case unexpectedLeafHashes
    /// The answer's end was marked too early or too late.
    case wrongEnd
    /// An id that does not increase.
    case idNotIncreasing
    case unknownHandle
    case handleInUse
    case noSuchChunk
  }
}
