// Sends the peers of a content one another's addresses (peer exchange).
import Content
import Transfer

extension NetworkLoop {
  /// Introduces the peers of each open content to one another, if an introduction is due.
  func introduceAll() {
    for fileID in openContents {
      var members: [ConnectionToken: PeerConnection] = [:]
      for connection in connections(of: fileID) where connection.peer != nil { members[connection.token] = connection }
      let introductions = context.swarms.introductions(of: fileID, to: Set(members.keys), at: now)
      for introduction in introductions {
        guard let connection = members[introduction.member] else { continue }
        connection.introduce([introduction], of: fileID)
        connection.command { _ in }
      }
    }
  }
}
