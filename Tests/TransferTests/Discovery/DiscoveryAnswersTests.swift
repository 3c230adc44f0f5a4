// Which LAN queries a node answers, and how it divides its budget of answers. The test controls the clock.
import Content
import Testing
import Wire

@testable import Transfer

private let key = FileKey(FileID(digest: Digest(Array(repeating: 5, count: 32))!), swarm: nil)

private func nonce(_ number: UInt32) -> [UInt8] {
  Array(repeating: 0, count: 12) + (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
}

private func ip(_ last: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, last] }

@Suite struct DiscoveryAnswersTests {
  private var answers = DiscoveryAnswers(peer: peerID(1), port: 9_800, at: .zero)

  /// Sends a query with this nonce. Returns whether it is answered.
  private mutating func asks(_ number: UInt32, from last: UInt8, at now: Instant, with asking: FileKey = key) -> Bool {
    let bytes = DiscoveryQuery(nonce: nonce(number), key: asking).encode()
    let answer = answers.answer(to: bytes, from: ip(last), at: now) { $0 == key.bucket ? [key] : [] }
    guard let answer else { return false }
    let decoded = DiscoveryAnswer(decoding: answer)
    #expect(answer.count <= bytes.count && decoded?.isProven(by: key) == true && decoded?.nonce == nonce(number))
    #expect(decoded?.peer == peerID(1) && decoded?.port == 9_800)
    return true
  }

  @Test mutating func `a peer that proves that it knows the file is answered, once per nonce`() {
    let first = asks(1, from: 1, at: .zero)
    let again = asks(1, from: 1, at: .seconds(1))
    let replayed = asks(1, from: 2, at: .seconds(2))
    #expect(first && !again && !replayed)
    for number in 2...UInt32(ProtocolLimits.discoveryNoncesMin) {
      let isAnswered = asks(number, from: 1, at: .seconds(Double(number)))
      #expect(isAnswered)
    }
    let late = asks(1, from: 2, at: .seconds(3_000))
    #expect(!late)
  }

  @Test mutating func `a peer that does not know the file, or is of another swarm, gets no answer`() {
    let stranger = asks(1, from: 1, at: .zero, with: FileKey(FileID(digest: Digest.zero), swarm: nil))
    #expect(!stranger)
    // The right bucket with a wrong proof, as a peer that only overheard queries can send it.
    var bytes = DiscoveryQuery(nonce: nonce(1), key: key).encode()
    bytes[30] ^= 1
    let guessed = answers.answer(to: bytes, from: ip(1), at: .zero) { _ in [key] }
    #expect(guessed == nil)
  }

  @Test mutating func `one address gets 8 answers a second, and all addresses together 256`() {
    let one = (0..<20).count { asks($0, from: 1, at: .zero) }
    #expect(one == 8)
    let later = (20..<40).count { asks($0, from: 1, at: .seconds(1)) }
    #expect(later == 8)
    let all = (100..<1_000).count { asks($0, from: UInt8($0 % 200), at: .seconds(10)) }
    #expect(all == 256)
    let next = (1_000..<1_900).count { asks($0, from: UInt8($0 % 200), at: .milliseconds(10_500)) }
    #expect(next == 128)
  }

  @Test mutating func `queries without a valid proof use up no answers`() {
    let other = FileKey(FileID(digest: Digest.zero), swarm: nil)
    for number in 0..<50 as Range<UInt32> { _ = asks(number, from: 1, at: .zero, with: other) }
    let answered = (100..<120 as Range<UInt32>).count { asks($0, from: 1, at: .zero) }
    #expect(answered == ProtocolLimits.discoveryAnswersPerAddressMax)
  }

  @Test mutating func `many addresses that ask without end do not take the answers of a newcomer`() {
    // 60 addresses ask far more than allowed, every 10 ms for 3 s. One other address asks once per second.
    var number: UInt32 = 0
    var answered = 0
    for step in 0..<300 {
      let now = Instant.milliseconds(Int64(step) * 10)
      for last in 1...60 as ClosedRange<UInt8> {
        number += 1
        if asks(number, from: last, at: now) { answered += 1 }
      }
      guard step % 100 == 99 else { continue }
      number += 1
      let isAnswered = asks(number, from: 99, at: now)
      #expect(isAnswered, "after \(step) steps")
    }
    #expect(answered > 256 && answered <= 4 * ProtocolLimits.discoveryAnswersPerSecondMax)
  }

  @Test mutating func `one address that floods with false proofs does not use up the checks of other addresses`() {
    let other = FileKey(FileID(digest: Digest.zero), swarm: nil)
    for number in 0..<5_000 as Range<UInt32> { _ = asks(number, from: 1, at: .zero, with: other) }
    let late = asks(10_000, from: 1, at: .zero)
    #expect(!late, "it has used up its own checks")
    let answered = (0..<100 as Range<UInt32>).count { asks(20_000 + $0, from: UInt8(2 + $0), at: .zero) }
    #expect(answered == 100)
  }

  @Test mutating func `if addresses together use up all checks, each newcomer still gets one`() {
    let other = FileKey(FileID(digest: Digest.zero), swarm: nil)
    for number in 0..<20_000 as Range<UInt32> { _ = asks(number, from: UInt8(number % 200), at: .zero, with: other) }
    let first = asks(100_000, from: 201, at: .zero)
    let second = asks(100_001, from: 201, at: .zero)
    #expect(first && !second)
  }

  @Test func `a full table forgets an address only when its whole budget is back`() {
    var budget = SharedBudget(perSecondMax: 10_000, perAddressMax: 2, at: .zero)
    func address(_ number: Int) -> [UInt8] {
      Array(repeating: 0, count: 14) + [UInt8(number >> 8), UInt8(number & 255)]
    }
    let taken = (0..<2_000).count { budget.take(address($0), at: .zero) }
    #expect(taken == SharedBudget.addressesMax)
    let early = budget.take(address(5_000), at: .milliseconds(900))
    let late = budget.take(address(5_000), at: .milliseconds(1_001))
    #expect(!early && late)
  }

  @Test mutating func `a datagram of any length gets an answer or none and never traps`() {
    let good = DiscoveryQuery(nonce: nonce(1), key: key).encode()
    for length in 0...600 {
      let bytes = Array((good + Array(repeating: 0xFF, count: 600)).prefix(length))
      let answer = answers.answer(to: bytes, from: ip(1), at: .zero) { _ in [key] }
      #expect((answer != nil) == (length == good.count))
    }
  }
}
