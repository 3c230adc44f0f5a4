// The connections of a loop by the contents that their peers have open.
import Content
import Transfer

extension NetworkLoop {
  /// Notes that a peer has a content open on a connection.
  func isOpen(_ fileID: FileID, at connection: PeerConnection) {
    byContent[fileID, default: [:]][connection.token] = connection
  }

  func isClosed(_ fileID: FileID, at connection: PeerConnection) {
    byContent[fileID]?[connection.token] = nil
    if byContent[fileID]?.isEmpty == true { byContent[fileID] = nil }
  }

  /// The contents that peers have open on this loop's connections.
  var openContents: [FileID] { Array(byContent.keys) }

  /// Returns the connections of peers that have a content open, in no order. Some may end while the caller goes through
  /// them.
  func connections(of fileID: FileID) -> [PeerConnection] { byContent[fileID].map { Array($0.values) } ?? [] }
}
