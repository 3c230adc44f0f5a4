// Which inbound connections a node keeps, and which it closes for a newcomer.
import Content
import Testing
import Wire

@testable import Transfer

func peer(_ number: UInt64) -> PeerID {
  PeerID(digest: Digest((0..<32).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * ($0 % 8))) })!)
}

@Suite struct ConnectionAdmissionTests {
  typealias Order = ConnectionAdmission.Order

  private var admission = ConnectionAdmissionTests.admission(16)

  static func admission(_ established: Int) -> ConnectionAdmission {
    ConnectionAdmission(
      places: ConnectionPlaces(established: established, descriptors: 2_000), generator: SeededGenerator(seed: 1))
  }

  /// Begins and establishes a connection of a new peer from 127.0.0.`last`.
  private mutating func come(
    _ token: ConnectionToken, from last: Int
  ) -> (verdict: ConnectionAdmission.Verdict, orders: [Order]) {
    _ = admission.begin(token, from: host(last), at: .zero)
    return admission.establish(token, from: host(last), as: peer(token.rawValue), meansSeveral: false)
  }

  private mutating func lingers(_ token: ConnectionToken, from last: Int, hasShakenHands: Bool = true) -> Bool {
    admission.linger(token, from: host(last), hasShakenHands: hasShakenHands).isGranted
  }

  /// Fills slots with connections from one address.
  private mutating func fill(
    _ tokens: Range<ConnectionToken>, from last: Int, _ use: ConnectionAdmission.Use = .nothingOpen
  ) {
    for token in tokens {
      #expect(come(token, from: last) == (.admitted, []))
      admission.note(token, use)
    }
  }

  @Test func `an address group that keeps breaking the protocol is refused for a while, and no other group is`() {
    var admission = ConnectionAdmission(
      places: ConnectionPlaces(established: 8, descriptors: 1_000), generator: SeededGenerator(seed: 1))
    let (bad, good) = (AddressGroup(ip: ipv4(1)), AddressGroup(ip: ipv4(2)))
    func isKeptOut(_ group: AddressGroup, at now: Instant) -> Bool { admission.isKeptOut(group, at: now) }
    for _ in 0..<StrangerPace.failuresFree { admission.brokeProtocol(from: bad, at: .zero) }
    #expect(!isKeptOut(bad, at: .zero))
    admission.brokeProtocol(from: bad, at: .zero)
    #expect(isKeptOut(bad, at: .zero) && !isKeptOut(good, at: .zero))
    #expect(!isKeptOut(bad, at: .seconds(1)))
  }

  @Test func `if many hosts hold all places, a newcomer displaces a connection that has opened nothing`() {
    var admission = ConnectionAdmission(
      places: ConnectionPlaces(established: 4, descriptors: 1_000), generator: SeededGenerator(seed: 1))
    for number in UInt8(1)...4 {
      let (verdict, _) = admission.establish(
        ConnectionToken(Int(number)), from: AddressGroup(ip: ipv4(number)), as: peerID(number), meansSeveral: false)
      #expect(verdict == .admitted)
      if number == 1 { admission.note(1, .busy) }
    }
    let (verdict, orders) = admission.establish(
      9, from: AddressGroup(ip: ipv4(9)), as: peerID(9), meansSeveral: false)
    #expect(verdict == .admitted && orders == [.displace(2)])
  }

  @Test mutating func `while fewer than three quarters of the places are taken, no connection is displaced`() {
    fill(0..<12, from: 1)
    #expect(admission.isCrowded)
    admission.change(places: ConnectionPlaces(established: 17, descriptors: 2_000))
    #expect(!admission.isCrowded)
    #expect(come(20, from: 2) == (.admitted, []))
  }

  @Test
  mutating func `above three quarters a newcomer displaces a connection of the address that has the most`() {
    fill(0..<12, from: 1)
    #expect(come(20, from: 2) == (.admitted, [.displace(0)]))
    #expect(admission.establishedCount == 12 && !admission.holdsPlace(0) && admission.holdsPlace(20))
    // A newcomer from the address with the most connections gets free slots only. Without one it is turned away.
    for token in ConnectionToken(30)..<34 { #expect(come(token, from: 1) == (.admitted, [])) }
    #expect(come(34, from: 1) == (.turnedAway, []))
    #expect(come(35, from: 3) == (.admitted, [.displace(1)]))
  }

  @Test mutating func `one address with a thousand keys does not keep another address out`() {
    fill(0..<16, from: 1, .busy)
    for token in ConnectionToken(100)..<1_100 { #expect(come(token, from: 1).verdict != .admitted) }
    for last in 2..<10 { #expect(come(ConnectionToken(2_000 + last), from: last).verdict == .admitted) }
  }

  @Test mutating func `a newcomer displaces no connection if its address would then have as many`() {
    fill(0..<6, from: 1)
    fill(6..<11, from: 2)
    fill(11..<12, from: 3)
    // 127.0.0.3 has 2 connections, 127.0.0.1 has 6.
    #expect(come(20, from: 3) == (.admitted, [.displace(0)]))
    for token in ConnectionToken(21)..<23 { #expect(come(token, from: 3).orders.count == 1) }
    // Now each of the three has 4.
    #expect(come(23, from: 3) == (.admitted, []))
  }

  @Test
  mutating func `connections without an open file are displaced first, then idle ones, then busy ones at the limit`() {
    fill(0..<3, from: 1, .busy)
    fill(3..<5, from: 1, .idle)
    fill(5..<7, from: 1)
    fill(7..<12, from: 1, .busy)
    admission.note(4, .busy)
    admission.note(4, .idle)
    let gone = (0..<4).map { i in come(ConnectionToken(100 + i), from: 100 + i).orders }
    #expect(gone == [[.displace(5)], [.displace(6)], [.displace(3)], [.displace(4)]], "the one that is so for longest")
    for i in 4..<8 { #expect(come(ConnectionToken(100 + i), from: 100 + i) == (.admitted, [])) }
    #expect(admission.establishedCount == 16)
    #expect(come(200, from: 200) == (.admitted, [.displace(11)]), "of the busy ones the newest")
  }

  @Test mutating func `connections of hosts that have one each, with an open file, are not displaced`() {
    for token in ConnectionToken(0)..<16 { fill(token..<token.advanced(by: 1), from: Int(token.rawValue), .idle) }
    #expect(come(20, from: 20) == (.turnedAway, []))
  }

  @Test mutating func `places for turned-away connections are shared by address too`() {
    fill(0..<16, from: 1, .idle)
    for token in ConnectionToken(100)..<132 { #expect(come(token, from: 1) == (.turnedAway, [])) }
    #expect(come(132, from: 1) == (.refused, []))
    for last in 2..<17 {
      #expect(come(ConnectionToken(200 + last), from: last).verdict == .admitted)
      admission.note(ConnectionToken(200 + last), .idle)
    }
    // Each address has one connection now.
    #expect(come(300, from: 40) == (.turnedAway, [.displace(100)]))
    _ = admission.end(101)
    #expect(come(301, from: 1) == (.turnedAway, []))
  }

  @Test mutating func `an established connection counts until it ends`() {
    fill(0..<16, from: 1)
    #expect(come(16, from: 1).verdict == .turnedAway)
    #expect(admission.end(16) == [])
    #expect(admission.end(3) == [] && admission.end(3) == [])
    #expect(admission.establishedCount == 15)
    #expect(come(17, from: 1).verdict == .admitted)
  }

  @Test mutating func `lowering the number of places closes no connection`() {
    fill(0..<16, from: 1)
    admission.change(places: ConnectionPlaces(established: 8, descriptors: 2_000))
    #expect(admission.establishedCount == 16)
    #expect(come(20, from: 2) == (.turnedAway, [.displace(0)]))
  }

  @Test mutating func `few connections may linger after GOODBYE, and they take no place from others`() {
    fill(0..<16, from: 1)
    for token in ConnectionToken(0)..<16 { #expect(lingers(token, from: 1)) }
    #expect(admission.establishedCount == 0)
    for token in ConnectionToken(100)..<148 { #expect(lingers(token, from: Int(token.rawValue))) }
    #expect(!lingers(148, from: 148))
    _ = admission.end(0)
    #expect(lingers(149, from: 149))
  }

  @Test mutating func `one address lingers in at most half of the places, and so do connections without handshake`() {
    for token in ConnectionToken(0)..<100 { #expect(lingers(token, from: 1, hasShakenHands: false) == (token < 32)) }
    #expect(!lingers(100, from: 1) && !lingers(101, from: 2, hasShakenHands: false))
    for token in ConnectionToken(200)..<232 { #expect(lingers(token, from: Int(token.rawValue))) }
    for token in ConnectionToken(0)..<32 { _ = admission.end(token) }
    for token in ConnectionToken(300)..<400 { #expect(lingers(token, from: 2) == (token < 332)) }
  }

  @Test mutating func `if descriptors run out, half-open connections end first, then unused ones, then idle ones`() {
    fill(0..<3, from: 1, .busy)
    fill(3..<4, from: 1, .idle)
    fill(4..<5, from: 1)
    _ = admission.begin(10, from: host(1), at: .zero)
    #expect((0..<4).map { _ in admission.relieve(at: .zero) } == [.drop(10), .displace(4), .displace(3), nil])
  }
}

@Suite struct ConnectionPlacesTests {
  @Test func `a high limit of descriptors gives the standard places`() {
    let places = ConnectionPlaces(established: nil, descriptors: 20_000)
    #expect(places.established == 1_024 && places.halfOpen == 512)
    #expect(places.turnedAway == 32 && places.lingering == 64)
    #expect(ConnectionPlaces(established: 5_000, descriptors: 20_000).established == 5_000)
  }

  @Test(arguments: [nil, 1, 7, 100, 5_000, 1_000_000])
  func `all places together never need more descriptors than the process has`(wanted: Int?) {
    for descriptors in [8, 9, 16, 17, 40, 64, 100, 500, 900, 1_300, 65_536] {
      let places = ConnectionPlaces(established: wanted, descriptors: descriptors)
      let all = places.established + places.halfOpen + places.turnedAway + places.lingering
      #expect(all <= descriptors, "\(descriptors): \(places)")
      #expect(places.established >= 1 && places.halfOpen >= 2 && places.turnedAway >= 1 && places.lingering >= 1)
      #expect(places.established <= wanted ?? 1_024)
    }
  }

  @Test func `a process with hardly any descriptors still has places`() {
    for descriptors in [Int.min, -1, 0, 7] {
      #expect(ConnectionPlaces(established: nil, descriptors: descriptors).established == 4)
    }
  }
}
