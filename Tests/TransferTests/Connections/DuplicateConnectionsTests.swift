// Several connections to one peer: which one a dialling node closes, keeps as a spare, or uses.
import Testing
import Wire

@testable import Transfer

@Suite struct DuplicateConnectionsTests {
  /// The node's PeerID is between those of the two peers.
  private var connections = DuplicateConnections(own: peer(5))
  private let smaller = peer(4)
  private let greater = peer(6)
  private let dialled = ConnectionID(1)
  private let dialledLater = ConnectionID(2)
  private let cameIn = ConnectionID.firstInbound
  private let cameInLater = ConnectionID(ConnectionID.firstInbound.rawValue + 1)

  @Test mutating func `of two connections that this node dialled the newer one is closed`() {
    connections.began(dialled, with: greater)
    connections.began(dialledLater, with: greater)
    #expect(connections.judge(dialledLater) == .close)
    #expect(connections.ended(dialledLater) == nil)
    #expect(connections.ended(dialled) == nil, "there is no spare")
  }

  @Test mutating func `a connection that this node dialled is closed if the peer dialled one before`() {
    for other in [smaller, greater] {
      connections.began(cameIn, with: other)
      connections.began(dialled, with: other)
      #expect(connections.judge(dialled) == .close)
      #expect(connections.ended(dialled) == nil)
      #expect(connections.ended(cameIn) == nil)
    }
  }

  @Test mutating func `a connection that the peer dialled stays after a finished download, but not after a lie`() {
    connections.began(dialled, with: smaller)
    connections.began(cameIn, with: greater)
    #expect(connections.giveUp(cameIn, .done) == .keep)
    #expect(connections.giveUp(cameIn, .banned) == .close)
    #expect(connections.ended(cameIn) == nil, "it waits for no place")
    connections.began(cameInLater, with: smaller)
    #expect(connections.giveUp(cameInLater, .duplicate) == .keep)
    #expect(connections.giveUp(dialled, .done) == .close)
    #expect(connections.ended(dialled) == cameInLater)
  }

  @Test mutating func `if both ends dialled, the node with the smaller PeerID closes the connection from the other`() {
    connections.began(dialled, with: greater)
    connections.began(cameIn, with: greater)
    #expect(connections.judge(cameIn) == .close)
    #expect(connections.ended(cameIn) == nil)
  }

  @Test mutating func `if both ends dialled, the node with the greater PeerID keeps the other connection as a spare`() {
    connections.began(dialled, with: smaller)
    connections.began(cameIn, with: smaller)
    #expect(connections.judge(cameIn) == .keep)
    #expect(connections.ended(dialled) == cameIn, "the peer closes the one that this node dialled")
    #expect(connections.ended(cameIn) == nil, "it was in use")
  }

  @Test mutating func `the newer of two connections that the peer dialled is a spare, and the peer decides`() {
    for other in [smaller, greater] {
      connections.began(cameIn, with: other)
      connections.began(cameInLater, with: other)
      #expect(connections.judge(cameInLater) == .keep)
      #expect(connections.ended(cameIn) == cameInLater)
      #expect(connections.ended(cameInLater) == nil)
    }
  }

  @Test mutating func `a spare that is lost first is never used`() {
    connections.began(cameIn, with: greater)
    connections.began(cameInLater, with: greater)
    #expect(connections.judge(cameInLater) == .keep)
    #expect(connections.ended(cameInLater) == nil)
    #expect(connections.ended(cameIn) == nil)
  }

  @Test mutating func `the oldest spare is used first`() {
    connections.began(dialled, with: smaller)
    for id in [cameInLater, cameIn] {
      connections.began(id, with: smaller)
      #expect(connections.judge(id) == .keep)
    }
    #expect(connections.ended(dialled) == cameIn)
    #expect(connections.ended(cameIn) == cameInLater)
  }

  @Test mutating func `a connection that is judged after the other one was lost is used at once`() {
    connections.began(dialled, with: smaller)
    connections.began(cameIn, with: smaller)
    #expect(connections.ended(dialled) == nil, "nothing waits yet")
    #expect(connections.judge(cameIn) == .use(cameIn))
    connections.began(cameInLater, with: smaller)
    #expect(connections.judge(cameInLater) == .keep)
  }

  @Test mutating func `connections of other peers do not count as duplicates`() {
    connections.began(dialled, with: greater)
    connections.began(cameIn, with: smaller)
    #expect(connections.judge(cameIn) == .use(cameIn))
    connections.began(cameInLater, with: greater)
    #expect(connections.judge(cameInLater) == .close)
    #expect(connections.ended(dialled) == nil)
  }

  @Test mutating func `an unknown connection is closed`() {
    #expect(connections.judge(dialled) == .close)
    #expect(connections.judge(cameIn) == .close)
    #expect(connections.ended(cameIn) == nil)
  }
}
