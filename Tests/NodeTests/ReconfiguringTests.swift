// Limits that change while a server runs. They apply at once, also to existing connections.
import Content
import Posix
import Sodium
import TestSupport
import Synchronization
import Testing
import Wire

@testable import PeerNode
@testable import Transfer

@Suite struct ReconfiguringTests {
  @Test func `an upload limit can be set, changed and lifted`() {
    let limiter = UploadLimiter(bytesPerSecond: nil) { 0 }
    #expect(limiter.wait(toSend: 1 << 30) == nil)
    limiter.change(to: 1_000, perPeer: nil)
    // The burst that may leave at once.
    #expect(limiter.wait(toSend: 256 << 10) == nil)
    #expect(limiter.wait(toSend: 1_000) == .seconds(1))
    limiter.change(to: nil, perPeer: nil)
    #expect(limiter.wait(toSend: 1_000) == nil)
  }

  @Test func `a changed upload limit applies from the next piece on`() {
    let clock = Atomic<Int64>(0)
    let limiter = UploadLimiter(bytesPerSecond: 1_000) { clock.load(ordering: .relaxed) }
    #expect(limiter.wait(toSend: 256 << 10) == nil)
    limiter.change(to: 1_000, perPeer: nil)
    #expect(limiter.wait(toSend: 256 << 10) == nil)
    #expect(limiter.wait(toSend: 1_000) == .seconds(1))
    clock.store(1_000_000_000, ordering: .relaxed)
    #expect(limiter.wait(toSend: 1_000) == nil)
  }
}
