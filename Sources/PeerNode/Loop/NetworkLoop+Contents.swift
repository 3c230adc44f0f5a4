// Which connections of a loop have a content open.
import Content
import Transfer

extension NetworkLoop {
  /// A peer has a content open on a connection.
  func isOpen(_ fileID: FileID, at connection: PeerConnection) {
    byContent[fileID, default: [:]][connection.token] = connection
  }

  func isClosed(_ fileID: FileID, at connection: PeerConnection) {
    byContent[fileID]?[connection.token] = nil
    if byContent[fileID]?.isEmpty == true { byContent[fileID] = nil }
  }

  /// The contents that peers have open here.
  var openContents: [FileID] { Array(byContent.keys) }

  /// The connections of peers that have a content open, in no order. Each may end while they are gone through.
  func connections(of fileID: FileID) -> [PeerConnection] { byContent[fileID].map { Array($0.values) } ?? [] }
}
