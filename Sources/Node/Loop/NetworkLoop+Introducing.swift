// Introduces the peers of one file to one another when it is time.
import Content
import Transfer

extension NetworkLoop {
  /// Introduces the peers that share a file to one another, if it is time.
  func introduceAll() {
    var members: [FileID: [ConnectionToken: PeerConnection]] = [:]
    for connection in connections.values {
      guard let peer = connection.peer else { continue }
      for source in peer.served.values { members[source.fileID, default: [:]][connection.token] = connection }
    }
    for (fileID, connections) in members {
      let introductions = context.swarms.introductions(of: fileID, to: Set(connections.keys), at: now)
      for introduction in introductions {
        let connection = connections[introduction.member]!
        connection.introduce([introduction], of: fileID)
        connection.command { _ in }
      }
    }
  }
}
