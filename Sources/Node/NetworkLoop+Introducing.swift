// Peers of one file are told of one another when it is time.
import Content
import Transfer

extension NetworkLoop {
  /// Tells those that share a file of one another, as far as it is time.
  func introduceAll() {
    var members: [FileID: [Audiences.Member: PeerConnection]] = [:]
    for connection in connections.values {
      for entry in connection.served.values { members[entry.fileID, default: [:]][connection.member] = connection }
    }
    for (fileID, connections) in members {
      let introductions = context.audiences.introductions(of: fileID, to: Set(connections.keys), at: now)
      for introduction in introductions {
        let connection = connections[introduction.member]!
        connection.introduce([introduction], of: fileID)
        connection.command { _ in }
      }
    }
  }
}
