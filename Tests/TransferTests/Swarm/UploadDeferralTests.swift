// Which peers a node tells to ask again later, and how little they lose by it.
import Testing

@testable import Transfer

@Suite struct UploadDeferralTests {
  /// A reference, since `#expect` changes no value.
  private final class Deferral {
    private var deferral = UploadDeferral()

    func join(_ reader: UInt64, at now: Instant) { deferral.join(reader, at: now) }
    func leave(_ reader: UInt64) { deferral.leave(reader) }
    func waits(_ reader: UInt64, isFirst: Bool, at now: Instant) { deferral.waits(reader, isFirst: isFirst, at: now) }
    func rests(_ reader: UInt64) { deferral.rests(reader) }
    func isImpatient(_ reader: UInt64, isFull: Bool = true, at now: Instant) -> Bool {
      deferral.isImpatient(reader, isFull: isFull, at: now)
    }
    func accepts(_ reader: UInt64, isFirst: Bool, isFull: Bool = true, at now: Instant) -> Bool {
      deferral.accepts(reader, isFirst: isFirst, isFull: isFull, at: now)
    }
  }

  private let deferral = Deferral()

  /// Readers 1 and 2 have been here for a minute, and reader 1 waits for what nobody was promised before it.
  init() {
    for reader: UInt64 in [1, 2] { deferral.join(reader, at: .zero) }
    deferral.waits(1, isFirst: true, at: time(60_000))
  }

  private func time(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

  @Test func `a chunk that another was promised is put off while first ones wait, a first one is not`() {
    #expect(!deferral.accepts(2, isFirst: false, at: time(60_000)))
    #expect(deferral.accepts(2, isFirst: true, at: time(60_010)))
    deferral.rests(1)
    #expect(deferral.accepts(2, isFirst: false, at: time(60_020)))
    deferral.waits(1, isFirst: false, at: time(60_030))
    #expect(deferral.accepts(2, isFirst: false, at: time(60_030)))
    deferral.waits(1, isFirst: true, at: time(60_040))
    #expect(!deferral.accepts(2, isFirst: false, at: time(60_040)))
    deferral.leave(1)
    #expect(deferral.accepts(2, isFirst: false, at: time(60_050)))
  }

  @Test func `nobody waits for who takes nothing`() {
    let stalled = time(60_000) + UploadDeferral.stalledAfter
    #expect(deferral.accepts(2, isFirst: false, at: stalled))
    deferral.waits(1, isFirst: true, at: stalled)
    #expect(!deferral.accepts(2, isFirst: false, at: stalled))
  }

  /// Milliseconds until a reader that asks again and again is heard.
  private func stretch(_ reader: UInt64, isFull: Bool, from start: Int64) -> Int64 {
    var waited: Int64 = 0
    while waited < 60_000, !deferral.accepts(reader, isFirst: false, isFull: isFull, at: time(start + waited)) {
      waited += 100
      deferral.waits(1, isFirst: true, at: time(start + waited))
    }
    return waited
  }

  @Test func `nobody is put off for longer than ten seconds at a stretch, where there may be room for one`() {
    let short = stretch(2, isFull: false, from: 60_000)
    #expect((900...1_100).contains(short))
    #expect(deferral.isImpatient(2, isFull: false, at: time(60_000 + short)))
    #expect(!deferral.isImpatient(2, isFull: true, at: time(60_000 + short)))
    let long = stretch(2, isFull: true, from: 62_000)
    #expect((9_000...10_100).contains(long))
    #expect(deferral.isImpatient(2, isFull: true, at: time(62_000 + long)))
    // A peer that has just come is not put off at all where there may be room.
    deferral.join(3, at: time(80_000))
    #expect(stretch(3, isFull: false, from: 80_000) == 0)
  }

  @Test func `nobody is put off for more than half of its time, however often it asks`() {
    deferral.join(3, at: time(60_000))
    for pause: Int64 in [1, 10, 100, 700] {
      deferral.leave(3)
      deferral.join(3, at: time(60_000))
      var putOff: Int64 = 0
      for milliseconds in stride(from: Int64(0), to: 40_000, by: Int64.Stride(pause)) {
        let now = time(60_000 + milliseconds)
        deferral.waits(1, isFirst: true, at: now)
        if !deferral.accepts(3, isFirst: false, at: now) { putOff += pause }
      }
      #expect(putOff <= 25_000 + pause, "asking every \(pause) ms")
      if pause <= 100 { #expect(putOff >= 20_000, "asking every \(pause) ms") }
    }
  }

  @Test func `the ninth of those who want the same kind is put off where the upload is full`() {
    for reader: UInt64 in 11...17 {
      deferral.join(reader, at: .zero)
      #expect(deferral.accepts(2, isFirst: true, at: time(60_000)))
      if reader < 17 { deferral.waits(reader, isFirst: true, at: time(60_000)) }
    }
    deferral.waits(17, isFirst: true, at: time(60_000))
    #expect(deferral.accepts(2, isFirst: true, isFull: false, at: time(60_000)))
    #expect(!deferral.accepts(2, isFirst: true, at: time(60_000)))
  }

  @Test func `who has not joined is neither put off nor waited for`() {
    #expect(deferral.accepts(7, isFirst: false, at: time(60_000)))
    #expect(deferral.isImpatient(7, at: time(60_000)))
    deferral.rests(1)
    deferral.waits(7, isFirst: true, at: time(60_000))
    #expect(deferral.accepts(2, isFirst: false, at: time(60_000)))
  }

  @Test func `a clock that lags behind another's counts as standing still`() {
    #expect(!deferral.accepts(2, isFirst: false, at: time(60_000)))
    deferral.join(3, at: time(70_000))
    #expect(deferral.accepts(3, isFirst: false, isFull: false, at: time(60_000)))
    #expect(!deferral.accepts(2, isFirst: false, at: time(50_000)))
  }
}
