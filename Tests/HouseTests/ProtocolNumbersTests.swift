// Compares the numbers in `Protocol/*.md` with those in the code. Both must be changed together.
import Content
import Testing

@testable import Wire

/// Returns the numbers of a text in order. `1,024` is 1024, `2^20` is 1048576.
private func numbers(in text: String) -> [Int] {
  Pattern(#"\b(\d+)\^(\d+)|\b\d+(?:,\d{3})*"#).matches(in: text).map { found in
    if let base = Int(found[1]), let exponent = Int(found[2]) { return (0..<exponent).reduce(1) { n, _ in n * base } }
    return Int(found[0].filter { $0 != "," })!
  }
}

private func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }

/// The rows of the table in section 12: how each starts, and its numbers.
private let limits: [(row: String, numbers: [Int])] = [
  ("handshake, from the TCP", [seconds(ProtocolLimits.handshakeTimeout)]),
  (
    "nothing received",
    [seconds(ProtocolLimits.pingAfter), Int(CloseCode.idle.rawValue), seconds(ProtocolLimits.idleTimeout)]
  ),
  (
    "a begun frame",
    [
      seconds(ProtocolLimits.frameProgressGrace), ProtocolLimits.frameBytesPerSecondMin,
      Int(CloseCode.tooSlow.rawValue),
    ]
  ),
  ("bytes to send, none taken", [seconds(ProtocolLimits.stalledSendTimeout)]),
  ("handshake message / payload", [ChannelHandshake.messageByteCountMax, HandshakePayload.byteCountMax]),
  ("record's ciphertext", [Record.ciphertextByteCounts.lowerBound, Record.ciphertextByteCounts.upperBound]),
  ("control frame / DATA frame", [ProtocolLimits.frameLengthMax, ProtocolLimits.dataFrameLengthMax]),
  ("requests in flight", [ProtocolLimits.requestsInFlightMax, 4]),
  ("files open", [ProtocolLimits.openFilesMax]),
  ("PAGE_GETs unanswered", [64]),
  ("OPENs unanswered", [ProtocolLimits.opensUnansweredMax]),
  ("PINGs unanswered", [1]),
  ("chunks of a file", [ProtocolLimits.chunksMax]),
  ("connections of one PeerID", [ProtocolLimits.connectionsPerPeerMax]),
]

/// Sentences of other sections: a pattern whose groups are numbers. Each of its occurrences is checked.
private let sentences: [(pattern: String, numbers: [Int])] = [
  (#"leaf \| ([\d,]+) KiB of a chunk"#, [ProtocolLimits.leafBytesMax >> 10]),
  (#"chunk hashes of ([\d,]+) neighbouring chunks"#, [ProtocolLimits.chunksPerPage]),
  (#"chunks, at most (2\^\d+) \(4 TiB\)"#, [ProtocolLimits.chunksMax]),
  (#"Each message is `u16 length ‖ bytes`, at most (\d+) bytes"#, [ChannelHandshake.messageByteCountMax]),
  (#"A payload is at most (\d+) bytes"#, [HandshakePayload.byteCountMax]),
  (#"text, at most (\d+) bytes: what the program"#, [HandshakePayload.agentByteCountMax]),
  (#"text, 1…(\d+) bytes, each a letter"#, [ZoneName.byteCountMax]),
  (#"sender of this accepts; absent: (\d+)"#, [ProtocolLimits.requestsInFlightMax]),
  (#"plaintext 1…([\d,]+) bytes"#, [Record.plaintextByteCountMax]),
  (#"again after ([\d,]+) more"#, [Int(Record.rekeyInterval)]),
  (
    #"It is 1…([\d,]+), for DATA at most ([\d,]+)"#,
    [ProtocolLimits.frameLengthMax, ProtocolLimits.dataFrameLengthMax]
  ),
  (#"text, 0…(\d+) bytes: a hint"#, [ProtocolLimits.nameBytesMax]),
  (
    #"n u16 \(1…([\d,]+)\) \| n × 32 B chunk hashes \| m u8 \(0…(\d+)\)"#,
    [ProtocolLimits.chunksPerPage, ProtocolLimits.unclesPerPageMax]
  ),
  (#"\| count 1…(\d+), first \+ count ≤ (\d+)"#, [64, 64, ProtocolLimits.dataLeavesMax, 64]),
  (
    #"rest of the frame: 1…([\d,]+) bytes, at most ([\d,]+) × count"#,
    [ProtocolLimits.dataLeafBytesMax, ProtocolLimits.leafBytesMax]
  ),
  (#"for kind 1 at most\s+(2\^\d+); that"#, [FolderListing.byteCountMax]),
  (#"decimal, 0…(2\^\d+), without"#, [ProtocolLimits.chunksMax << 20]),
  (#"n u16 \(1…([\d,]+)\) \| n × \(chunk"#, [ProtocolLimits.haveRunsMax]),
  (#"count u32 \(1…([\d,]+); first \+ count ≤ (2\^\d+)"#, [ProtocolLimits.bitmapChunksMax, ProtocolLimits.chunksMax]),
  (#"n u8 \(0…(\d+)\) \| n × \(family"#, [ProtocolLimits.peersMax]),
  (#"text length u8 \(0…(\d+)\)"#, [ProtocolLimits.goodbyeTextBytesMax]),
  (#"An\s+end may have (\d+) files open"#, [ProtocolLimits.openFilesMax]),
  (#"the first (\d+) times on a connection at once"#, [ProtocolLimits.missedOpensAtOnce]),
  (#"more than (\d+) OPENs unanswered"#, [ProtocolLimits.opensUnansweredMax]),
  (
    #"more than ([\d,]+) at once, and then (\d+) a second, on a connection"#,
    [NodeLimits.takenBackAtOnceMax, NodeLimits.takenBackPerSecond]
  ),
  (
    #"here: (\d+) MiB at once, then (\d+) MiB a\s+second and (\d+) bytes for each byte of leaves"#,
    [
      NodeLimits.rehashedBytesAtOnceMax >> 20, NodeLimits.rehashedBytesPerSecond >> 20,
      NodeLimits.rehashedBytesPerByteSent,
    ]
  ),
  (#"frames of one connection at a time \(here: (\d+)\)"#, [NodeLimits.framesPerTurn]),
  (#"every datagram is (\d+) bytes"#, [Discovery.datagramBytes]),
  (#"nonce(?: of the query)? \| (\d+)"#, [Discovery.nonceBytes, Discovery.nonceBytes]),
  (
    #"port ([\d,]+) of `([\d]+)\.(\d+)\.(\d+)\.(\d+)`"#,
    [Int(Discovery.port)] + Discovery.groupIPv4[12...].map { Int($0) }
  ),
  (#"after each round, up to (\d+) s"#, [seconds(ProtocolLimits.discoveryIntervalMax)]),
  (#"If none comes within (\d+) s, the older"#, [seconds(ProtocolLimits.probePatience)]),
  (#"sent within the last (\d+) s"#, [seconds(ProtocolLimits.discoveryAnswerTime)]),
  (#"at least ([\d,]+) nonces"#, [ProtocolLimits.discoveryNoncesMin]),
  (
    #"more than (\d+) queries a second in all, nor more than (\d+) of one"#,
    [ProtocolLimits.discoveryAnswersPerSecondMax, ProtocolLimits.discoveryAnswersPerAddressMax]
  ),
]

private func section(_ number: Int, of text: String) -> Substring {
  let start = text.firstRange(of: "\n## \(number). ")!
  let rest = text[start.upperBound...]
  return rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)]
}

/// Returns where the protocol text and the code have different numbers.
private func differences(in text: String) -> [String] {
  var found: [String] = []
  let rows = section(12, of: text).split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst()
    .map { $0.dropFirst(2) }
  if rows.count != limits.count { found.append("section 12 has \(rows.count) rows, the test knows \(limits.count)") }
  for (row, limit) in zip(rows, limits) {
    let written = numbers(in: String(row))
    if !row.hasPrefix(limit.row) || written != limit.numbers {
      found.append("'\(row)' says \(written), the code '\(limit.row)': \(limit.numbers)")
    }
  }
  let joined = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: " ")
  for sentence in sentences {
    let written = Pattern(sentence.pattern).matches(in: joined).flatMap { $0.dropFirst().flatMap(numbers(in:)) }
    if written != sentence.numbers {
      found.append("'\(sentence.pattern)': \(written), in the code \(sentence.numbers)")
    }
  }
  return found
}

@Suite struct ProtocolNumbersTests {
  private let text: String

  init() throws {
    text = try ["README", "links", "discovery"].map { try Repository.text("Protocol/\($0).md") }.joined(separator: "\n")
  }

  @Test func `the specification and the code state the same limits`() {
    let found = differences(in: text)
    #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
  }

  @Test(arguments: [
    ("65,536 / 69,632", "65,536 / 69,633"), ("PING after 60 s", "PING after 61 s"), ("| files open", "| files seen"),
    ("1…262,144; first", "1…262,145; first"), ("(0…50)", "(0…51)"), ("again after 16,384 more", "again after 16 more"),
    ("239.255.112.50", "239.255.112.51"), ("more than 256 queries", "more than 255 queries"),
  ])
  func `a number that changes on one side only is found`(old: String, new: String) {
    let changed = text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    #expect(changed != text)
    #expect(differences(in: changed).count == 1)
  }

  @Test func `numbers are parsed in every form that the specification writes`() {
    #expect(numbers(in: "17…65,535 bytes, 2^20; u8 (4)") == [17, 65535, 1 << 20, 4])
  }

  @Test func `the specification lists the types of frames that the code has`() {
    let listed = Pattern(#"### 0x([0-9A-F]{2}) ([A-Z_]+)(?: \((\d+) bytes\))?"#).matches(in: text)
    #expect(listed.map { UInt8($0[1], radix: 16) } == FrameType.allCases.map(\.rawValue))
    for (row, type) in zip(listed, FrameType.allCases) {
      #expect(row[2] == type.description)
      if let bytes = Int(row[3]) { #expect(type.bodyBytes == bytes...bytes) }
    }
  }

  @Test func `the specification lists the close codes that the code has`() {
    let listed = Pattern(#"\| (\d) \| [a-z]"#).matches(in: String(section(13, of: text))).compactMap { UInt8($0[1]) }
    #expect(listed.sorted() == CloseCode.allCases.map(\.rawValue))
  }

  @Test func `the parts of the specification that the code names exist`() throws {
    let named = Pattern(#"`(Protocol/\w+\.md)`(?:, "([^"]+)")?"#)
    var count = 0
    for file in Repository.files where file.isSwift && file.path.hasPrefix("Sources/") {
      for found in file.lines.flatMap(named.matches(in:)) {
        let lines = try Repository.text(found[1]).split(separator: "\n")
        let isThere =
          found[2].isEmpty
          || lines.contains { $0.hasPrefix("**\(found[2])") || $0.hasPrefix("#") && $0.contains(found[2]) }
        #expect(isThere, "\(file.path): \(found[0])")
        count += 1
      }
    }
    #expect(count > 20)
  }

  @Test func `the tests that stand for rules without a case exist`() throws {
    let files = Set(Repository.files.compactMap { $0.path.split(separator: "/").last.map(String.init) })
    let lines = try Repository.text("Protocol/vectors/rules.txt").split(separator: "\n")
    let reasons = lines.compactMap { line in line.firstRange(of: "=> none: ").map { line[$0.upperBound...] } }
    let named = reasons.flatMap { reason in reason.split { !$0.isLetter }.filter { $0.hasSuffix("Tests") } }
    #expect(named.count > 20)
    for name in named { #expect(files.contains("\(name).swift"), "\(name)") }
  }

  @Test func `the specification lists every file of vectors in its table`() {
    let table = String(section(18, of: text))
    let listed = Pattern(#"`((?:invalid/)?[\w-]+\.(?:txt|json))`"#).matches(in: table).map { $0[1] }
    let files = Repository.files.map(\.path).filter { $0.hasPrefix("Protocol/vectors/") && !$0.hasSuffix(".py") }
      .map { String($0.dropFirst("Protocol/vectors/".count)) }.filter { !$0.hasPrefix("handshake-xx") }
    #expect(Set(files) == Set(listed))
  }
}
