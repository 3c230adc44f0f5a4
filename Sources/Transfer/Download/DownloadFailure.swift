// Why a download ended without its file.
import Content
import Wire

/// The outcome of an address.
public enum AddressOutcome: Hashable, Sendable {
  /// Not dialled yet, or the dial is under way.
  case pending
  case dialFailed(DialFailure)
  /// Connected, but OPEN was not answered in time.
  case silent
  case refused(Opened.Refusal)
  case opened
  /// The address belongs to a peer that was connected already.
  case duplicate
  case lost(PeerLossReason)
  case lied
}

/// An address and its outcome.
public struct AddressReport: Hashable, Sendable {
  public let address: PeerAddress
  public let outcome: AddressOutcome
}

/// The end of a download that failed. Data on the disk stays for a later download.
public enum DownloadFailure: Error, Hashable, Sendable {
  /// No address could be reached.
  case unreachable([AddressReport])
  /// Peers answered, and none has the file.
  case notFound([AddressReport])
  /// Peers answered, and none admits this node.
  case notAdmitted([AddressReport])
  /// Every peer that had the file sent data that does not verify.
  case everyPeerLied([AddressReport])
  /// No usable peer for `chunkTimeout`, no progress for a multiple of it, or no address at all.
  case noPeers([AddressReport])
  /// This chunk failed after all its retries.
  case outOfRetries(ChunkIndex)
  /// This page of chunk hashes failed after all its retries.
  case pageOutOfRetries(PageIndex)
  /// The disk failed or is full.
  case storage
  /// The caller cancelled the download.
  case cancelled

  /// Whether a peer that comes later could help, if no peer with the file was found.
  var mayPass: Bool {
    switch self {
    case .unreachable, .notFound, .noPeers: true
    case .notAdmitted, .everyPeerLied, .outOfRetries, .pageOutOfRetries, .storage, .cancelled: false
    }
  }
}
