// Limits that change while a server runs: each counts from then on, also for who is here already.
import Content
import Posix
import Sodium
import TestSupport
import Testing
import Wire

@testable import Node
@testable import Transfer

@Suite struct ReconfiguringTests {
  @Test func `a limit can be set, changed and lifted`() {
    let limiter = UploadLimiter(bytesPerSecond: nil, at: .zero)
    #expect(limiter.wait(toSend: 1 << 30, at: .zero) == nil)
    limiter.change(to: 1_000, at: .zero)
    // What may leave at once.
    #expect(limiter.wait(toSend: 256 << 10, at: .zero) == nil)
    #expect(limiter.wait(toSend: 1_000, at: .zero) == .seconds(1))
    limiter.change(to: nil, at: .zero)
    #expect(limiter.wait(toSend: 1_000, at: .zero) == nil)
  }

  @Test func `fewer may come, and nobody who is here has to go`() {
    let admission = Admission(connectionsMax: 2)
    #expect(admission.establish(1) == .admitted && admission.establish(2) == .admitted)
    admission.change(connectionsMax: 1)
    #expect(admission.establishedCount == 2)
    #expect(admission.establish(3) == .turnedAway)
    admission.change(connectionsMax: 3)
    #expect(admission.establish(4) == .admitted)
  }
}
