// Complete sessions compared with `Protocol/vectors/`: the small transfer that opens the specification, and a longer
// one.
import Content
import Sodium
import TestSupport
import Testing

@testable import Wire

/// Both ends of a published session, after a handshake with the published bytes.
private func established(
  _ vectors: VectorFile, dialer: HandshakePayload, listener: HandshakePayload
) throws -> ChannelEnds {
  let swarm = vectors.names.contains("swarm-key") ? swarmKey(secretKey(vectors["swarm-key"])) : nil
  var dialing = ChannelHandshake(
    dialing: StaticIdentity(secret: secretKey(vectors["dialer.static.secret"])), suite: .chaChaPoly, swarm: swarm,
    pinned: nil, payload: dialer, ephemeral: secretKey(vectors["dialer.ephemeral.secret"]))
  var listening = ChannelHandshake(
    listening: StaticIdentity(secret: secretKey(vectors["listener.static.secret"])), suites: [.chaChaPoly],
    swarm: swarm, payload: listener, ephemeral: secretKey(vectors["listener.ephemeral.secret"]))
  let first = dialing.takeOutbound()
  #expect(first == vectors["preamble"] + vectors["message1"])
  _ = listening.take(first)
  let second = listening.takeOutbound()
  #expect(second == vectors["message2"])
  _ = dialing.take(second)
  let third = dialing.takeOutbound()
  #expect(third == vectors["message3"])
  _ = listening.take(third)
  let areDone = dialing.isComplete && listening.isComplete
  try #require(areDone)
  let ends = ChannelEnds(dialer: dialing.finish(), listener: listening.finish())
  let hash = ends.listener.handshakeHash
  #expect(hash.bytes == vectors["handshake-hash"])
  return ends
}

extension ChannelEnds {
  /// Seals a plaintext at one end and opens the record at the other. Returns the record and what was opened.
  fileprivate mutating func pass(_ plaintext: [UInt8], fromDialer: Bool) -> (record: [UInt8], opened: [UInt8]?) {
    let record = fromDialer ? dialer.sealer.record(plaintext) : listener.sealer.record(plaintext)
    let ciphertext = record.dropFirst(2)
    return (record, fromDialer ? listener.opener.plaintext(ciphertext) : dialer.opener.plaintext(ciphertext))
  }
}

@Suite struct SessionVectorTests {
  @Test func `the small transfer is the published one, byte for byte`() throws {
    let vectors = try VectorFile("session.txt")
    var ends = try established(vectors, dialer: HandshakePayload(), listener: HandshakePayload(listenPort: 9_800))
    let content = vectors["content"]
    let root = MerkleTree.leafHash(content.span.bytes)
    let fileID = FileID(kind: .file, length: UInt64(content.count), root: root)
    #expect(root.bytes == vectors["root"] && fileID.digest.bytes == vectors["fileID"])
    let key = FileKey(fileID, swarm: nil)
    let hash = ends.dialer.handshakeHash
    let (handle, id, leaf) = (FileHandle(1), RequestID(1), LeafRange(first: 0, count: 1))
    let file = OfferedFile(
      proof: key.haveProof(hash, sender: .listener), kind: 0, length: 13, root: root, chunkSizeLog2: 20,
      availability: .complete, suggestedName: "hello.txt")
    let steps: [(name: String, isDialer: Bool, message: Message, payload: [UInt8])] = [
      ("open", true, .open(Open(handle: handle, bucket: key.bucket, proof: key.openProof(hash, sender: .dialer))), []),
      ("opened", false, .opened(Opened(handle: handle, outcome: .opened(file))), []),
      (
        "request", true,
        .request(ChunkRequest(id: id, handle: handle, chunk: ChunkIndex(0), leaves: leaf, wantsLeafHashes: true)), []
      ),
      (
        "data", false, .data(DataHeader(id: id, leaves: leaf, isLast: true, leafHashes: [root], byteCount: 13)), content
      ),
      ("close", true, .close(handle), []),
      ("goodbye", true, .goodbye(Goodbye(code: .done)), []),
    ]
    for (name, isDialer, message, payload) in steps {
      var frame: [UInt8] = []
      message.encode(into: &frame)
      frame += payload
      #expect(frame == vectors["\(name).frame"], "\(name)")
      let (record, opened) = ends.pass(frame, fromDialer: isDialer)
      #expect(record == vectors["\(name).record"] && opened == frame, "\(name)")
    }
    #expect(vectors.names.filter { $0.hasSuffix(".frame") } == steps.map { "\($0.name).frame" })
  }

  @Test func `each record of the longer session opens, and its frames are the listed ones`() throws {
    let vectors = try VectorFile("transcript.txt")
    var ends = try established(
      vectors, dialer: HandshakePayload(agent: "transcript"),
      listener: HandshakePayload(listenPort: 9_800, requestsInFlightMax: 8))
    var streams = ["dialer": FrameStream(), "listener": FrameStream()]
    var frames: [String: [UInt8]] = [:]
    let records = vectors.names.filter { $0.hasSuffix(".record") }.map { String($0.dropLast(".record".count)) }
    #expect(records.count == 15)
    for name in records {
      let sender = String(name.split(separator: ".")[1])
      let plaintext = vectors["\(name).plaintext"]
      let (record, opened) = ends.pass(plaintext, fromDialer: sender == "dialer")
      #expect(record == vectors["\(name).record"] && opened == plaintext, "\(name)")
      try streams[sender]?.feed(plaintext)
      frames[sender, default: []] += plaintext
    }
    for (sender, stream) in streams {
      // A skipped type is not a message.
      let types = vectors["\(sender).types"].filter { FrameType(rawValue: $0) != nil }
      #expect(stream.messages.map(\.type.rawValue) == types, "\(sender)")
      #expect(stream.decoder.completedFrames == vectors["\(sender).types"].count && !stream.decoder.isMidFrame)
    }
  }

  /// The specification starts with a small transfer. There, a line without indentation names a value, and the lines
  /// below it have its bytes: two digits and a space each. Two spaces end the bytes.
  @Test func `the specification opens with the bytes of the small transfer`() throws {
    let vectors = try VectorFile("session.txt")
    let text = try VectorFile.text("README.md")
    let start = try #require(text.firstRange(of: "\n## 1. "))
    let section = text[start.upperBound...]
    let blocks = section[..<section.firstRange(of: "\n## 2. ")!.lowerBound].split(separator: "```")
    var shown: [(name: String, bytes: [UInt8])] = []
    for block in stride(from: 1, to: blocks.count, by: 2).map({ blocks[$0] }) {
      for line in block.split(separator: "\n") {
        if !line.hasPrefix(" ") {
          shown.append((String(line.prefix { $0 != " " }), []))
        } else {
          let row = line.drop { $0 == " " }
          let digits = row[..<(row.firstRange(of: "  ")?.lowerBound ?? row.endIndex)].split(separator: " ")
          shown[shown.count - 1].bytes += digits.compactMap { UInt8($0, radix: 16) }
        }
      }
    }
    for (name, bytes) in shown { #expect(bytes == vectors[name], "\(name)") }
    let due = vectors.names.filter { $0.hasSuffix(".frame") }
    let handshake = ["preamble", "message1", "message2", "message3"]
    #expect(shown.map(\.name) == handshake + due.prefix(1) + ["open.record"] + due.dropFirst())
  }
}
