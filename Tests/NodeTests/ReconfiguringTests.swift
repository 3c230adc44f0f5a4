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
    let limiter = UploadLimiter(bytesPerSecond: nil)
    #expect(limiter.wait(toSend: 1 << 30, at: .zero) == nil)
    limiter.change(to: 1_000)
    // What may leave at once.
    #expect(limiter.wait(toSend: 256 << 10, at: .zero) == nil)
    #expect(limiter.wait(toSend: 1_000, at: .zero) == .seconds(1))
    limiter.change(to: nil)
    #expect(limiter.wait(toSend: 1_000, at: .zero) == nil)
  }

  @Test func `a limit that is changed counts from the time of whoever sends next`() {
    let limiter = UploadLimiter(bytesPerSecond: 1_000)
    // The loops' clocks leave out the time in which the process was stopped; no other clock may come into it.
    #expect(limiter.wait(toSend: 256 << 10, at: .zero) == nil)
    limiter.change(to: 1_000)
    #expect(limiter.wait(toSend: 256 << 10, at: .zero) == nil)
    #expect(limiter.wait(toSend: 1_000, at: .zero) == .seconds(1))
    #expect(limiter.wait(toSend: 1_000, at: .zero + .seconds(1)) == nil)
  }
}
