// The download events that the news and the end of a peer's session become. The node and the simulator both use them.
import Content
import Wire

extension DownloadEvent {
  /// Makes the event for news from a peer.
  /// - `isCompared`: whether the chunks of a page are first compared with what an earlier download left on the disk.
  ///   Then `resumed` and `pageVerified` follow.
  public init(_ news: PeerNews, from id: ConnectionID, isCompared: Bool = false) {
    self =
      switch news {
      case .opened(let manifest, let isComplete): .opened(id, manifest.layout, isComplete: isComplete)
      case .refused(let refusal): .refused(id, refusal)
      case .page(let page): isCompared ? .pageArrived(page.index, from: id) : .pageVerified(page.index, from: id)
      case .busy(let request, let retryAfter): .busy(id, request, retryAfter: retryAfter)
      case .withdrawn: .withdrawn(id)
      case .answerBegan(let request): .answerBegan(id, request)
      case .answerEnded(let request): .answerEnded(id, request)
      case .othersServed: .othersServed(id)
      case .have(let runs): .have(id, runs)
      case .bitmap(let bitmap): .bitmap(id, bitmap)
      case .promised(let chunks): .promised(id, chunks)
      case .peers(let entries): .peers(id, entries)
      }
  }

  /// Makes the event for the end of a session.
  public init(_ end: SessionEnd, of id: ConnectionID) {
    self =
      switch end {
      case .remote(.duplicateConnection, _): .replaced(id)
      case .remote(let code, _): .connectionLost(id, .goodbye(code.rawValue))
      case .violation: .connectionLost(id, .violation)
      case .lied: .lied(id)
      }
  }
}

extension DisconnectReason {
  /// The code of GOODBYE.
  public var closeCode: CloseCode {
    switch self {
    case .banned: .badData
    case .duplicate: .duplicateConnection
    case .done: .done
    }
  }
}
