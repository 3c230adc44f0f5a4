// One end of the protocol on a blocking socket. It does exactly what a test says, also what no peer should do.
import Content
import Posix
import Sodium
import Wire

/// Why a scripted peer's conversation ended.
package enum PeerEnd: Error, Hashable {
  case handshake(HandshakeError)
  case record
  case frame(WireError)
}

/// A channel over a socket, as dialer or listener. Confined to one thread.
package final class ScriptedPeer {
  package var socket: BlockingSocket { wire.socket }
  private let wire: PeerWire
  private var channel: EstablishedChannel
  private var decoder = FrameDecoder()
  private var stream: [UInt8] = []
  private var offset = 0
  /// All bytes that were decrypted here while `keepsDecrypted` was true.
  package private(set) var decrypted: [UInt8] = []
  /// False for a peer that receives more than memory can hold.
  package var keepsDecrypted = true
  private var lastRequest: UInt32 = 0

  package var role: ChannelRole { channel.role }
  package var suite: CipherSuite { channel.suite }
  package var remote: PeerID { channel.remote }
  package var handshakeHash: Digest { channel.handshakeHash }

  /// Dials a node.
  /// - `source`: the local address of the connection (`BlockingSocket`).
  package convenience init(
    dialling address: Endpoint, from source: Endpoint? = nil, as identity: StaticIdentity = .random(),
    suite: CipherSuite = .chaChaPoly, swarm: SwarmKey? = nil, listenPort: UInt16? = nil,
    capabilities: Capabilities = []
  ) throws {
    try self.init(
      over: BlockingSocket(dialling: address, from: source?.ip), as: identity, suite: suite, swarm: swarm,
      listenPort: listenPort, capabilities: capabilities)
  }

  /// Makes the dialer's end over an existing connection.
  /// - `turn`, `afterSend`: see `PeerWire`.
  package convenience init(
    over socket: BlockingSocket, as identity: StaticIdentity = .random(), suite: CipherSuite = .chaChaPoly,
    swarm: SwarmKey? = nil, listenPort: UInt16? = nil, capabilities: Capabilities = [],
    turn: (() -> Void)? = nil, afterSend: @escaping () -> Void = {}
  ) throws {
    let handshake = ChannelHandshake(
      dialing: identity, suite: suite, swarm: swarm, pinned: nil,
      payload: HandshakePayload(listenPort: listenPort, capabilities: capabilities, agent: "scripted"),
      ephemeral: .random())
    try self.init(PeerWire(socket: socket, turn: turn, afterSend: afterSend), handshake)
  }

  /// Makes the listener's end for a connection that a node dialled.
  /// - `turn`: see `PeerWire`.
  package convenience init(
    accepting socket: BlockingSocket, as identity: StaticIdentity, suites: [CipherSuite] = CipherSuite.available,
    swarm: SwarmKey? = nil, payload: HandshakePayload = HandshakePayload(agent: "scripted"),
    turn: (() -> Void)? = nil
  ) throws {
    let handshake = ChannelHandshake(
      listening: identity, suites: suites, swarm: swarm, payload: payload, ephemeral: .random())
    try self.init(PeerWire(socket: socket, turn: turn, afterSend: {}), handshake)
  }

  private init(_ wire: PeerWire, _ handshake: consuming ChannelHandshake) throws {
    self.wire = wire
    channel = try wire.shakeHands(handshake)
  }

  // MARK: Sending

  package func send(_ message: Message) throws { try send(frames: message.frame) }

  /// Sends bytes of the stream, in records that are as large as possible.
  package func send(frames: [UInt8]) throws {
    try wire.send(seal(frames))
  }

  /// Seals bytes of the stream into records. The records must be sent next, completely or in part.
  package func seal(_ bytes: [UInt8]) -> [UInt8] {
    var records: [UInt8] = []
    var start = 0
    while start < bytes.count {
      let count = min(Record.plaintextByteCountMax, bytes.count - start)
      let plaintext = Array(bytes[start..<start + count])
      var record = [UInt8](repeating: 0, count: count + Record.overhead)
      var elements = record.mutableSpan
      var room = elements.mutableBytes
      _ = channel.sealer.seal(plaintext: plaintext.span.bytes, into: &room)
      records += record
      start += count
    }
    return records
  }

  // MARK: Receiving

  /// Receives the next message. If it is DATA, receives the bytes of its leaves too.
  package func receive() throws -> (message: Message, leaves: [UInt8]) {
    while true {
      let message: Message?
      let bytes = stream
      do throws(WireError) {
        message = try decoder.next(bytes.span.bytes, at: &offset)
      } catch {
        throw PeerEnd.frame(error)
      }
      guard let message else {
        try receiveRecord()
        continue
      }
      guard case .data(let header) = message else { return (message, []) }
      while stream.count - offset < header.byteCount { try receiveRecord() }
      let leaves = Array(stream[offset..<offset + header.byteCount])
      offset += header.byteCount
      decoder.tookPayload(header.byteCount)
      return (message, leaves)
    }
  }

  /// The next message, without bytes of leaves. Nil at the end of the stream, or if nothing arrives in time.
  package func next() throws -> Message? {
    do { return try receive().message } catch SocketEnd.endOfStream, SocketEnd.timedOut { return nil }
  }

  /// Receives up to the next GOODBYE. Nil if the stream ends without one.
  package func receiveGoodbye() throws -> Goodbye? {
    while true {
      do {
        if case .goodbye(let goodbye) = try receive().message { return goodbye }
      } catch SocketEnd.timedOut {
        throw SocketEnd.timedOut
      } catch {
        return nil
      }
    }
  }

  private func receiveRecord() throws {
    if offset > 0 {
      stream.removeFirst(offset)
      offset = 0
    }
    let header = try wire.receive(exactly: Record.headerByteCount)
    var ciphertext = try wire.receive(exactly: Int(header[0]) << 8 | Int(header[1]))
    let count: Int
    do throws(RecordError) {
      var elements = ciphertext.mutableSpan
      var bytes = elements.mutableBytes
      count = try channel.opener.open(inPlace: &bytes)
    } catch {
      throw PeerEnd.record
    }
    stream += ciphertext.prefix(count)
    if keepsDecrypted { decrypted += ciphertext.prefix(count) }
  }

  // MARK: Asking

  package static let handle = FileHandle(7)

  /// Returns an OPEN with the right proof.
  package func openMessage(_ fileID: FileID, handle: FileHandle = ScriptedPeer.handle, swarm: SwarmKey? = nil)
    -> Message
  {
    let key = FileKey(fileID, swarm: swarm)
    return .open(Open(handle: handle, bucket: key.bucket, proof: key.openProof(handshakeHash, sender: role)))
  }

  /// Opens a file and returns the answer.
  package func open(_ fileID: FileID, handle: FileHandle = ScriptedPeer.handle, swarm: SwarmKey? = nil) throws
    -> Message
  {
    try send(openMessage(fileID, handle: handle, swarm: swarm))
    return try receive().message
  }

  /// Returns a REQUEST with the next ID.
  package func requestMessage(_ chunk: UInt32, first: Int = 0, count: Int = 1, hashes: Bool = false) -> Message {
    lastRequest += 1
    return .request(
      ChunkRequest(
        id: RequestID(lastRequest), handle: ScriptedPeer.handle, chunk: ChunkIndex(chunk),
        leaves: LeafRange(first: first, count: count), wantsLeafHashes: hashes))
  }

  /// Requests leaves and receives the complete answer.
  package func fetch(_ chunk: UInt32, first: Int = 0, count: Int) throws -> [UInt8] {
    try send(requestMessage(chunk, first: first, count: count))
    var bytes: [UInt8] = []
    while true {
      let (message, leaves) = try receive()
      guard case .data(let header) = message else { continue }
      bytes += leaves
      if header.isLast { return bytes }
    }
  }
}

extension Message {
  /// The encoded frame, without bytes of leaves.
  package var frame: [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }

  package var goodbyeCode: CloseCode? { if case .goodbye(let goodbye) = self { goodbye.code } else { nil } }
}

/// Returns a frame of any type with any body.
package func frame(type: UInt8, body: [UInt8]) -> [UInt8] {
  let length = UInt32(body.count + 1)
  return (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) } + [type] + body
}

extension StaticIdentity {
  package static func random() -> StaticIdentity { StaticIdentity(secret: .random()) }
}
