// Which peers are asked to come again later, and how little they lose by that.
import Testing

@testable import Transfer

@Suite struct UploadChokingTests {
  /// A class, because `#expect` cannot call mutating functions.
  private final class Choking {
    private var choking = UploadChoking()

    func join(_ reader: ConnectionToken, at now: Instant) { choking.join(reader, at: now) }
    func leave(_ reader: ConnectionToken) { choking.leave(reader) }
    func waits(_ reader: ConnectionToken, isFirst: Bool, at now: Instant) {
      choking.waits(reader, isFirst: isFirst, at: now)
    }
    func rests(_ reader: ConnectionToken) { choking.rests(reader) }
    func isImpatient(_ reader: ConnectionToken, isFull: Bool = true, at now: Instant) -> Bool {
      choking.isImpatient(reader, isFull: isFull, at: now)
    }
    func accepts(_ reader: ConnectionToken, isFirst: Bool, isFull: Bool = true, at now: Instant) -> Bool {
      choking.accepts(reader, isFirst: isFirst, isFull: isFull, at: now)
    }
  }

  private let choking = Choking()

  /// Readers 1 and 2 have been here for a minute. Reader 1 waits for chunks that no other reader was promised.
  init() {
    for reader: ConnectionToken in [1, 2] { choking.join(reader, at: .zero) }
    choking.waits(1, isFirst: true, at: time(60_000))
  }

  private func time(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

  @Test func `a promised chunk is delayed while first copies wait, and a first copy is not`() {
    #expect(!choking.accepts(2, isFirst: false, at: time(60_000)))
    #expect(choking.accepts(2, isFirst: true, at: time(60_010)))
    choking.rests(1)
    #expect(choking.accepts(2, isFirst: false, at: time(60_020)))
    choking.waits(1, isFirst: false, at: time(60_030))
    #expect(choking.accepts(2, isFirst: false, at: time(60_030)))
    choking.waits(1, isFirst: true, at: time(60_040))
    #expect(!choking.accepts(2, isFirst: false, at: time(60_040)))
    choking.leave(1)
    #expect(choking.accepts(2, isFirst: false, at: time(60_050)))
  }

  @Test func `no reader waits for a reader that takes nothing`() {
    let stalled = time(60_000) + UploadChoking.stalledAfter
    #expect(choking.accepts(2, isFirst: false, at: stalled))
    choking.waits(1, isFirst: true, at: stalled)
    #expect(!choking.accepts(2, isFirst: false, at: stalled))
  }

  /// Returns the milliseconds until a reader that asks repeatedly is accepted.
  private func stretch(_ reader: ConnectionToken, isFull: Bool, from start: Int64) -> Int64 {
    var waited: Int64 = 0
    while waited < 60_000, !choking.accepts(reader, isFirst: false, isFull: isFull, at: time(start + waited)) {
      waited += 100
      choking.waits(1, isFirst: true, at: time(start + waited))
    }
    return waited
  }

  @Test func `a reader is put off for at most 10 s at a stretch, or 1 s while the upload is not full`() {
    let short = stretch(2, isFull: false, from: 60_000)
    #expect((900...1_100).contains(short))
    #expect(choking.isImpatient(2, isFull: false, at: time(60_000 + short)))
    #expect(!choking.isImpatient(2, isFull: true, at: time(60_000 + short)))
    let long = stretch(2, isFull: true, from: 62_000)
    #expect((9_000...10_100).contains(long))
    #expect(choking.isImpatient(2, isFull: true, at: time(62_000 + long)))
    // If there may be room, a peer that has just come is not put off at all.
    choking.join(3, at: time(80_000))
    #expect(stretch(3, isFull: false, from: 80_000) == 0)
  }

  @Test func `a reader is put off for at most half of its time, however often it asks`() {
    choking.join(3, at: time(60_000))
    for pause: Int64 in [1, 10, 100, 700] {
      choking.leave(3)
      choking.join(3, at: time(60_000))
      var putOff: Int64 = 0
      for milliseconds in stride(from: Int64(0), to: 40_000, by: Int64.Stride(pause)) {
        let now = time(60_000 + milliseconds)
        choking.waits(1, isFirst: true, at: now)
        if !choking.accepts(3, isFirst: false, at: now) { putOff += pause }
      }
      #expect(putOff <= 25_000 + pause, "asking every \(pause) ms")
      if pause <= 100 { #expect(putOff >= 20_000, "asking every \(pause) ms") }
    }
  }

  @Test func `the ninth reader of first copies is put off while the upload is full`() {
    for reader: ConnectionToken in 11...17 {
      choking.join(reader, at: .zero)
      #expect(choking.accepts(2, isFirst: true, at: time(60_000)))
      if reader < 17 { choking.waits(reader, isFirst: true, at: time(60_000)) }
    }
    choking.waits(17, isFirst: true, at: time(60_000))
    #expect(choking.accepts(2, isFirst: true, isFull: false, at: time(60_000)))
    #expect(!choking.accepts(2, isFirst: true, at: time(60_000)))
  }

  @Test func `a reader that has not joined is neither put off nor waited for`() {
    #expect(choking.accepts(7, isFirst: false, at: time(60_000)))
    #expect(choking.isImpatient(7, at: time(60_000)))
    choking.rests(1)
    choking.waits(7, isFirst: true, at: time(60_000))
    #expect(choking.accepts(2, isFirst: false, at: time(60_000)))
  }

  @Test func `a clock that lags behind another one counts as standing still`() {
    #expect(!choking.accepts(2, isFirst: false, at: time(60_000)))
    choking.join(3, at: time(70_000))
    #expect(choking.accepts(3, isFirst: false, isFull: false, at: time(60_000)))
    #expect(!choking.accepts(2, isFirst: false, at: time(50_000)))
  }
}
