// A connection after its handshake, in both roles at once: with a stranger that sends anything, and between two honest
// ends whose messages and commands come in any order.
import Content

@testable import Transfer
@testable import Wire

enum Sessions {
  static let stranger = Target("session", seeds: strangerSeeds, againstStranger)
  static let pair = Target("session-pair", seeds: pairSeeds, betweenHonest)

  // MARK: A stranger

  /// A file is opened and fetched: OPEN, OPENED, a page, a request and its data.
  private static func strangerSeeds(_ vectors: Vectors) -> [[UInt8]] {
    let fetching: [UInt8] = [0, 10, 2, 0, 0, 11, 0, 3, 0, 0, 12, 0, 0x0C, 5, 0, 0, 0]
    let serving: [UInt8] = [1, 1, 1, 0, 14, 0, 0, 4, 1, 1, 0, 0x98, 15, 15, 9, 1, 3, 0, 15, 6, 1]
    let raw = vectors.examples("frames") { !$0.hasPrefix("digest.") }.filter { $0.count < 200 }.map { frame in
      [0, 0, UInt8(frame.count - 5), frame[4]] + frame[5...]
    }
    return [fetching, serving, fetching + serving.dropFirst()] + raw.map { $0 } + raw.map { serving + $0.dropFirst() }
  }

  private static func againstStranger(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    var end = SessionUnderTest(
      kind & 1 == 0 ? .dialer : .listener, isPartial: kind & 2 != 0, requestsMax: kind & 4 == 0 ? 64 : 2)
    var stranger = Stranger(role: end.role.other)
    for _ in 0..<256 where !input.isAtEnd && !end.isOver {
      let step = input.u8() & 15
      if step < 10 {
        if let (message, leaves) = stranger.message(step, to: end, &input) { end.receive(message, leaves: leaves) }
      } else {
        command(step, &end, &input)
      }
      check(&end, &stranger)
    }
    if !end.isOver {
      end.endPayload()
      end.end()
      require(end.isOver, "a session ends")
    }
  }

  static func command(_ step: UInt8, _ end: inout SessionUnderTest, _ input: inout Input) {
    switch step {
    case 10: end.open()
    case 11:
      let page = input.u8()
      end.fetchPage(UInt32(page & 63), of: Int(page >> 6))
    case 12:
      let (chunk, leaves) = (input.u8(), input.u8())
      end.request(
        Int(chunk & 63), of: Int(chunk >> 6), first: Int(leaves & 3), count: 1 + Int(leaves >> 2 & 3),
        knowsHashes: leaves & 128 != 0)
    case 13:
      let id = input.u8()
      if id >= 252 { end.giveUp(Int(255 - id)) } else { end.cancel(RequestID(UInt32(id & 63)), of: Int(id >> 6)) }
    case 14: serve(&end, &input)
    default: end.upload()
    }
  }

  private static func serve(_ end: inout SessionUnderTest, _ input: inout Input) {
    let isPartial = end.isPartial
    let handle = FileHandle(UInt32(input.u8() & 3))
    switch input.number(below: 15) {
    case 0...2: end.answerOpen { $0.map { .file($0.served(isPartial: isPartial)) } ?? .noSuchFile }
    case 3: end.answerOpen { _ in .notYet }
    case 4: end.command { $0.lookUpAgain() }
    case 5: end.command { _ = $0.withdraw(handle, .changed) }
    case 6:
      end.command { $0.announce([LeafRun(chunk: ChunkIndex(1), leaves: LeafRange(first: 0, count: 2))], of: handle) }
    case 7: end.command { $0.announce(promised: [ChunkIndex(0), ChunkIndex(3)], of: handle) }
    case 8:
      let entry = PeerExchange.Entry(ip: [UInt8](repeating: 9, count: 16), port: 1, peer: PeerID(digest: .zero))
      end.command { $0.announce(peers: [entry], of: handle) }
    case 9: end.command { $0.shutDown() }
    case 10: end.putBackUpload()
    case 11: end.command { $0.dropHints() }
    default:
      let count = Int64(input.u8())
      end.wait(count & 0x80 == 0 ? .milliseconds(count * 10) : .seconds(count & 0x7F))
    }
  }

  /// Checks that everything sent follows the protocol, and that memory is bounded.
  private static func check(_ end: inout SessionUnderTest, _ stranger: inout Stranger) {
    while let (message, _) = end.takeMessage() {
      stranger.note(message)
      var frame: [UInt8] = []
      message.encode(into: &frame)
      if case .data(let header) = message {
        let bodyBytes = frame.count - 5 + header.byteCount
        require(FrameRules.allowData(bodyBytes: bodyBytes, Array(frame[5...])), "DATA that is sent is of the protocol")
      } else {
        require(
          FrameRules.allow(type: frame[4], body: Array(frame[5...])), "\(message.type) that is sent is of the protocol")
      }
    }
    let session = end.driver.session
    require(session.waitingCount <= 64 && session.pagesWaiting.count <= 64, "what waits is bounded")
    require(session.opens.count <= 64 && session.served.count <= 64, "what is open is bounded")
    require(session.fetched.contents.count <= SessionFile.all.count, "a file is fetched once")
  }

  // MARK: Two honest ends

  private static func pairSeeds(_: Vectors) -> [[UInt8]] {
    let opening: [UInt8] = [10, 0x10, 0x8E, 0, 0, 0x90]
    let fetching: [UInt8] = [11, 0, 0x10, 0x8F, 0x90, 12, 0, 0x0C, 0x10, 0x8F, 0x90, 0]
    let second = opening + [12, 0x41, 0x0C, 12, 0, 0x0C, 0x10, 0x10, 0x8F, 0x90, 0, 13, 255, 0x10]
    return [
      [0] + opening, [0] + opening + fetching, [3] + opening + fetching + [12, 1, 0x0C, 13, 1, 0x10],
      [0] + opening + fetching + second, [4] + opening + second + fetching,
    ]
  }

  /// Byte 0 says which ends have only parts of the files, and whether they accept few requests. Then come steps: bit 7
  /// selects the end that acts; an even step delivers a message.
  private static func betweenHonest(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    let requestsMax = kind & 4 == 0 ? 64 : 2
    var ends = [
      SessionUnderTest(.dialer, isPartial: kind & 1 != 0, requestsMax: requestsMax),
      SessionUnderTest(.listener, isPartial: kind & 2 != 0, requestsMax: requestsMax),
    ]
    for _ in 0..<512 where !input.isAtEnd {
      let step = input.u8()
      let one = Int(step >> 7)
      if step & 0x70 != 0 {
        deliver(from: one, &ends)
      } else if step & 15 >= 10 {
        command(step & 15, &ends[one], &input)
      } else {
        ends[one].endPayload()
      }
    }
    finish(&ends)
    for end in ends { require(end.closed == nil, "honest ends break nothing: \(end.closed!)") }
    for end in ends {
      require(end.contents.values.allSatisfy(\.asked.isEmpty), "each request is answered in the end")
    }
  }

  /// Checks that everything promised is sent, and that everything sent arrives.
  private static func finish(_ ends: inout [SessionUnderTest]) {
    for _ in 0..<16_384 {
      for one in ends.indices {
        ends[one].sendHints()
        if ends[one].outbox.isEmpty { ends[one].upload() }
        deliver(from: one, &ends)
        ends[1 - one].endPayload()
      }
      if ends.allSatisfy({ $0.outbox.isEmpty && !$0.driver.session.hasUploads }) { return }
    }
    require(false, "two ends fall silent")
  }

  private static func deliver(from one: Int, _ ends: inout [SessionUnderTest]) {
    guard let (message, leaves) = ends[one].takeMessage() else { return }
    ends[1 - one].receive(message, leaves: leaves)
  }
}
