// Each timer of a connection, just before and just after it fires, in virtual time.
import Testing
import Wire

@testable import Transfer

@Suite struct ConnectionTimersTests {
  private typealias Due = ConnectionTimers.Due

  private static let idle = Due.goodbye(.idle, "")
  private static let slowFrame = Due.goodbye(.tooSlow, "a frame came too slowly")
  private static let turnedAway = Due.goodbye(.tooManyConnections, "")

  private func established() -> ConnectionTimers {
    var timers = ConnectionTimers(at: .zero)
    timers.established()
    return timers
  }

  private func due(
    _ timers: ConnectionTimers, at seconds: Double, isSending: Bool = false, isReading: Bool = true,
    isInTheWay: Bool = false
  ) -> Due? {
    timers.due(isSending: isSending, isReading: isReading, isInTheWay: isInTheWay, at: .seconds(seconds))
  }

  // MARK: The handshake

  @Test func `a handshake has 10 s in all, whatever bytes arrive meanwhile`() {
    var timers = ConnectionTimers(at: .seconds(5))
    for seconds in 5..<15 { timers.received(1, at: .seconds(Double(seconds))) }
    #expect(due(timers, at: 14.999) == nil)
    #expect(due(timers, at: 15) == .handshakeTimeout)
    #expect(timers.handshakeEndsAt == .seconds(15))
    timers.established()
    #expect(due(timers, at: 15) == nil)
  }

  // MARK: Silence

  @Test func `a silent peer gets a PING after 60 s and is idle after 120 s`() {
    let timers = established()
    #expect(due(timers, at: 59.999) == nil)
    #expect(due(timers, at: 60) == .ping)
    #expect(due(timers, at: 119.999) == .ping)
    #expect(due(timers, at: 120) == Self.idle)
    #expect(timers.idleAt == .seconds(120))
  }

  @Test func `any received byte ends the silence`() {
    var timers = established()
    timers.received(1, at: .seconds(61))
    #expect(due(timers, at: 120.999) == nil)
    #expect(due(timers, at: 121) == .ping)
    #expect(due(timers, at: 181) == Self.idle)
  }

  @Test func `time in which the node does not read is not silence of the peer`() {
    var timers = established()
    #expect(due(timers, at: 300, isReading: false) == nil)
    timers.readsAgain(at: .seconds(300))
    #expect(due(timers, at: 359.999) == nil)
    #expect(due(timers, at: 360) == .ping)
  }

  // MARK: Frames

  @Test func `a frame must begin to arrive within 10 s and then come at 1 KiB/s or more`() {
    var timers = established()
    timers.received(100, at: .seconds(1))
    timers.read(isMidFrame: true, completedFrames: 3, at: .seconds(1))
    #expect(due(timers, at: 10.999) == nil)
    #expect(due(timers, at: 11) == Self.slowFrame)
    // 20 KiB in total are enough for 20 s.
    timers.received(20 * 1_024 - 100, at: .seconds(11))
    timers.read(isMidFrame: true, completedFrames: 3, at: .seconds(11))
    #expect(due(timers, at: 21) == nil)
    #expect(due(timers, at: 21.001) == Self.slowFrame)
  }

  @Test func `a complete frame is no longer timed`() {
    var timers = established()
    timers.received(3, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 0, at: .zero)
    timers.received(3, at: .seconds(9))
    timers.read(isMidFrame: false, completedFrames: 1, at: .seconds(9))
    #expect(due(timers, at: 59) == nil)
  }

  @Test func `the next frame is timed on its own`() {
    var timers = established()
    timers.received(60_000, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 0, at: .zero)
    // The last bytes of a frame arrive with the start of the next one.
    timers.received(9, at: .seconds(30))
    timers.read(isMidFrame: true, completedFrames: 1, at: .seconds(30))
    #expect(timers.partialFrame?.byteCount == 9)
    #expect(due(timers, at: 39.999) == nil)
    #expect(due(timers, at: 40) == Self.slowFrame)
  }

  @Test func `a frame that begins in the last bytes of the handshake is timed from then on`() {
    var timers = ConnectionTimers(at: .zero)
    timers.received(10, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 0, at: .zero)
    timers.received(50, at: .seconds(9))
    timers.established()
    timers.read(isMidFrame: true, completedFrames: 0, at: .seconds(9))
    #expect(due(timers, at: 18.999) == nil)
    #expect(due(timers, at: 19) == Self.slowFrame)
  }

  @Test func `bytes received at the start of a frame count at most as the length of a frame`() {
    var timers = established()
    timers.received(1 << 20, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 9, at: .zero)
    let seconds = Double(ProtocolLimits.dataFrameLengthMax) / Double(ProtocolLimits.frameBytesPerSecondMin)
    // A sign of life within the minute, so that no PING is due.
    timers.received(0, at: .seconds(40))
    #expect(due(timers, at: seconds) == nil)
    #expect(due(timers, at: seconds + 0.001) == Self.slowFrame)
  }

  @Test func `a frame that waits for the node is timed from when the node reads again`() {
    var timers = established()
    timers.received(3, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 0, at: .zero)
    #expect(due(timers, at: 30, isReading: false) == nil)
    timers.readsAgain(at: .seconds(30))
    timers.read(isMidFrame: true, completedFrames: 0, at: .seconds(30))
    #expect(due(timers, at: 39.999) == nil)
    #expect(due(timers, at: 40) == Self.slowFrame)
  }

  // MARK: Sending

  @Test func `a peer that takes no bytes for 60 s is abandoned`() {
    var timers = established()
    timers.queued(at: .seconds(10))
    timers.sent(at: .seconds(20))
    timers.received(1, at: .seconds(79))
    #expect(due(timers, at: 79.999, isSending: true) == nil)
    #expect(due(timers, at: 80) == nil, "nothing waits")
    guard case .abandon(.tooSlow, _)? = due(timers, at: 80, isSending: true) else {
      Issue.record("not abandoned")
      return
    }
    #expect(due(timers, at: 80, isSending: true) == due(timers, at: 80, isSending: true, isReading: false))
    #expect(timers.lastSentAt == .seconds(20))
    timers.queued(at: .seconds(80))
    #expect(due(timers, at: 80, isSending: true) == nil)
  }

  @Test func `a connection is slow once a piece takes 20 ms to send`() {
    var timers = established()
    timers.queued(at: .seconds(1))
    timers.sent(at: .seconds(1.019))
    let became = [1.019, 1.02, 1.021].map { timers.becomesSlow(at: .seconds($0)) }
    #expect(became == [false, true, false])
    timers.queued(at: .seconds(2))
    #expect(timers.isSlow)
  }

  // MARK: Places

  @Test func `a turned-away connection has 2 s from its start`() {
    var timers = ConnectionTimers(at: .zero)
    timers.turnedAway()
    timers.established()
    #expect(due(timers, at: 1.999) == nil)
    #expect(due(timers, at: 2, isReading: false) == nil)
    #expect(due(timers, at: 2) == Self.turnedAway)
  }

  @Test(arguments: [false, true])
  func `a turned-away connection has 4 s to take its GOODBYE`(lingers: Bool) {
    var timers = established()
    timers.turnedAway()
    timers.queued(at: .seconds(2.5))
    timers.ending()
    if lingers { timers.lingers(at: .seconds(3)) }
    #expect(due(timers, at: 3.999, isSending: !lingers) == nil)
    #expect(due(timers, at: 4, isSending: !lingers) == .close)
  }

  @Test func `a connection whose place others need ends for that reason, before any other fault of its peer`() {
    var timers = established()
    timers.received(3, at: .zero)
    timers.read(isMidFrame: true, completedFrames: 0, at: .zero)
    let inTheWay = Due.goodbye(.tooManyConnections, "nothing is open")
    #expect(due(timers, at: 10, isInTheWay: true) == inTheWay)
    #expect(due(timers, at: 10, isReading: false, isInTheWay: true) == nil)
    timers.turnedAway()
    #expect(due(timers, at: 10, isInTheWay: true) == Self.turnedAway)
  }

  // MARK: Ending

  @Test func `the node has 60 s to send GOODBYE, and the other end 2 s to close`() {
    var timers = established()
    timers.queued(at: .seconds(100))
    timers.ending()
    #expect(due(timers, at: 159.999, isSending: true) == nil)
    #expect(due(timers, at: 160, isSending: true) == .close)
    timers.lingers(at: .seconds(159))
    #expect(due(timers, at: 160.999) == nil)
    #expect(due(timers, at: 161) == .close)
  }

  @Test func `an end before the handshake is done is not treated as a handshake timeout`() {
    var timers = ConnectionTimers(at: .zero)
    timers.ending()
    #expect(due(timers, at: 11) == nil)
    timers.lingers(at: .seconds(11))
    #expect(due(timers, at: 13) == .close)
  }
}

@Suite struct ConnectionUseTests {
  @Test func `a connection without an open file is useless after 10 s`() {
    var use = ConnectionUse(at: .seconds(1))
    let hasChanged = use.note(isOpen: false, isWaiting: false, at: .seconds(10.999))
    #expect(!hasChanged && use.use == .nothingOpen)
    #expect(!use.isUseless(at: .seconds(10.999)))
    #expect(use.isUseless(at: .seconds(11)))
  }

  @Test func `a peer that waits for its file keeps its connection 10 s longer`() {
    var use = ConnectionUse(at: .zero)
    let hasChanged = use.note(isOpen: false, isWaiting: true, at: .seconds(9))
    #expect(!hasChanged)
    #expect(!use.isUseless(at: .seconds(18.999)) && use.isUseless(at: .seconds(19)))
  }

  @Test func `a connection with an open file is busy, and idle after 30 s without a request`() {
    var use = ConnectionUse(at: .zero)
    var changes = [use.note(isOpen: true, isWaiting: false, at: .seconds(50))]
    #expect(use.use == .busy)
    changes.append(use.note(isOpen: true, isWaiting: false, at: .seconds(79.999)))
    #expect(use.use == .busy)
    changes.append(use.note(isOpen: true, isWaiting: false, at: .seconds(80)))
    #expect(use.use == .idle && !use.isUseless(at: .seconds(500)))
    changes.append(use.note(isOpen: true, isWaiting: true, at: .seconds(81)))
    #expect(use.use == .busy)
    #expect(changes == [true, false, true, true])
  }

  @Test func `closing a file starts the 10 s again`() {
    var use = ConnectionUse(at: .zero)
    _ = use.note(isOpen: true, isWaiting: false, at: .seconds(1))
    let hasChanged = use.note(isOpen: false, isWaiting: false, at: .seconds(100))
    #expect(hasChanged && use.use == .nothingOpen)
    #expect(!use.isUseless(at: .seconds(109.999)) && use.isUseless(at: .seconds(110)))
  }
}
