// Several connections of one peer: which one is kept, and what happens to the others.
import Testing
import Wire

@testable import Transfer

@Suite struct DuplicatesTests {
  private var admission = ConnectionAdmissionTests.admission(16)
  private let asked = Instant.zero + .seconds(100)
  private var late: Instant { asked + ProtocolLimits.probePatience }

  /// Establishes a connection of one peer. By default it is always the same peer.
  private mutating func come(
    _ token: ConnectionToken, severally: Bool = false, as number: UInt64 = 1
  ) -> (verdict: ConnectionAdmission.Verdict, orders: [ConnectionAdmission.Order]) {
    admission.establish(token, from: host(1), as: peer(number), meansSeveral: severally)
  }

  /// Returns the orders after a PING that is answered or not.
  private mutating func judge(_ token: ConnectionToken, answers: Bool) -> [ConnectionAdmission.Order]? {
    admission.judge(
      token, askedAt: asked, heardAt: answers ? asked + .milliseconds(1) : asked, at: answers ? asked : late)
  }

  @Test mutating func `the newer of two connections is closed when the older one has answered`() {
    #expect(come(1) == (.admitted, []))
    #expect(come(2) == (.admitted, [.probe(1)]))
    #expect(admission.judge(1, askedAt: asked, heardAt: asked, at: asked + .seconds(4)) == nil, "too early to tell")
    #expect(judge(1, answers: true) == [.closeDuplicate(2)])
    #expect(admission.establishedCount == 1 && admission.holdsPlace(1))
    #expect(judge(1, answers: true) == [], "once")
  }

  @Test mutating func `the older of two connections is closed when it does not answer`() {
    _ = come(1)
    _ = come(2)
    #expect(judge(1, answers: false) == [.closeDuplicate(1)])
    #expect(admission.establishedCount == 1 && admission.holdsPlace(2))
    #expect(come(3).orders == [.probe(2)])
  }

  @Test mutating func `connections of different peers all stay`() {
    #expect(come(1, as: 1) == (.admitted, []))
    #expect(come(2, as: 2) == (.admitted, []))
  }

  @Test mutating func `if the peer closes one of the two itself, no more are closed`() {
    _ = come(1)
    _ = come(2)
    #expect(admission.end(1) == [], "the dialer took the other for older")
    #expect(judge(1, answers: true) == [])
    #expect(admission.holdsPlace(2))
    _ = come(3)
    #expect(admission.end(3) == [])
    #expect(judge(2, answers: true) == [], "there is nothing newer any more")
    #expect(admission.holdsPlace(2))
  }

  @Test mutating func `of three connections the oldest one that answers stays`() {
    _ = come(1)
    #expect(come(2).orders == [.probe(1)])
    #expect(come(3).orders == [], "it is asked already")
    #expect(judge(1, answers: false) == [.closeDuplicate(1), .probe(2)])
    #expect(judge(2, answers: true) == [.closeDuplicate(3)])
    #expect(admission.establishedCount == 1)
  }

  @Test mutating func `a fifth connection of one peer is refused at once`() {
    for token in ConnectionToken(1)...4 { #expect(come(token).verdict == .admitted) }
    for token in ConnectionToken(5)..<2_000 { #expect(come(token) == (.refused, [])) }
    #expect(come(3_000, as: 2) == (.admitted, []))
    _ = admission.end(4)
    #expect(come(4_000).verdict == .admitted)
  }

  @Test mutating func `connections that both ends declare as several stay, up to four`() {
    for token in ConnectionToken(1)...4 { #expect(come(token, severally: true) == (.admitted, [])) }
    #expect(come(5, severally: true) == (.refused, []))
  }

  @Test mutating func `a connection that is not declared as one of several does not stay beside others`() {
    _ = come(1, severally: true)
    #expect(come(2, severally: false).orders == [.probe(1)])
    #expect(come(3, severally: true).orders == [])
    #expect(judge(1, answers: true) == [.closeDuplicate(2)])
    #expect(admission.holdsPlace(3))
  }

  @Test mutating func `a turned-away peer finds its dead connection closed when it comes again`() {
    _ = come(1)
    for token in ConnectionToken(100)..<115 { _ = come(token, as: token.rawValue) }
    #expect(come(2) == (.turnedAway, [.probe(1)]))
    #expect(admission.end(2) == [])
    #expect(judge(1, answers: false) == [.closeDuplicate(1)])
    #expect(come(3) == (.admitted, []))
  }

  @Test mutating func `a turned-away connection does not close another one`() {
    for token in ConnectionToken(100)..<116 { _ = come(token, as: token.rawValue) }
    #expect(come(1) == (.turnedAway, []))
    _ = admission.end(100)
    #expect(come(2) == (.admitted, []))
  }
}
