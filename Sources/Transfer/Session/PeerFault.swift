// The faults of a peer in its answers and its requests.
import Content
import Wire

/// A fault of a peer in an answer or a request.
public enum PeerFault: Error, Hashable, Sendable {
  /// Leaf hashes that do not lead to the chunk hash, or too few or too many of them. The download bans the peer.
  case lie
  /// The peer broke the protocol. The connection is closed.
  case violation(Violation)

  public enum Violation: Hashable, Sendable {
    /// An answer to a request id that was never sent, or whose answer has ended.
    case unknownRequest
    /// An answer overtook the answer to an earlier request that was not cancelled.
    case answerOutOfOrder
    /// Leaves that are not the next ones, were not requested, or do not exist.
    case unexpectedLeaves
    case wrongByteCount
    /// Leaf hashes that were asked for and are missing, or that were not asked for.
    case unexpectedLeafHashes
    /// The answer's end was marked too early or too late, or BUSY came after the answer had begun.
    case wrongEnd
    /// A request id that does not increase.
    case idNotIncreasing
    case unknownHandle
    case handleInUse
    case noSuchChunk
  }
}

extension PeerFault.Violation: CustomStringConvertible {
  /// The fault in words, as GOODBYE carries them.
  public var description: String {
    switch self {
    case .unknownRequest: "an answer to a REQUEST that does not wait for one"
    case .answerOutOfOrder: "an answer before the answer to an earlier REQUEST"
    case .unexpectedLeaves: "leaves that are not due, or do not exist"
    case .wrongByteCount: "DATA whose leaves have another number of bytes"
    case .unexpectedLeafHashes: "leaf hashes that are missing, or were not asked for"
    case .wrongEnd: "the end of an answer too early or too late, or BUSY after DATA"
    case .idNotIncreasing: "a REQUEST whose id does not grow"
    case .unknownHandle: "a handle that is not open"
    case .handleInUse: "an OPEN with a handle that is open"
    case .noSuchChunk: "a chunk that the file does not have"
    }
  }
}
