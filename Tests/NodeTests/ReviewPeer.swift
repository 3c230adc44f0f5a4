// A peer made by hand, and a loop that the test turns itself: one thread, nothing waits but for bytes that are coming.
import Content
import Glibc
import Posix
import Sodium
import Storage
import Transfer
import Wire
import TestSupport

@testable import Node

/// One end of a connection whose frames a test writes and reads itself.
final class HandMadePeer {
  let socket: Socket
  let role: ChannelRole
  private let turn: () -> Void
  private var handshake: ChannelHandshake?
  private var channel: EstablishedChannel?
  private(set) var handshakeHash = Digest.zero
  private(set) var isEnded = false
  private var inbox: [UInt8] = []
  private var decoder = FrameDecoder()
  private var messages: [Message] = []

  /// - `receiveBytes`: of the system's buffer, fixed: a small one is soon full when the test does not read, and slow when
  ///   it does.
  init(dialing address: SocketAddress, receiveBytes: Int32? = 8192, turn: @escaping () -> Void) throws {
    (role, self.turn) = (.dialer, turn)
    socket = try Socket.connecting(to: address)
    if var bytes = receiveBytes { setsockopt(socket.number, SOL_SOCKET, SO_RCVBUF, &bytes, 4) }
    handshake = ChannelHandshake(
      dialing: HandMadePeer.identity(), suite: .chaChaPoly, swarm: nil, pinned: nil, payload: HandshakePayload(),
      ephemeral: SecretKey.random())
  }

  init(accepting number: Int32, payload: HandshakePayload = HandshakePayload(), turn: @escaping () -> Void) {
    (role, self.turn) = (.listener, turn)
    socket = Socket(owning: number)
    handshake = ChannelHandshake(
      listening: HandMadePeer.identity(), suites: CipherSuite.available, swarm: nil, payload: payload,
      ephemeral: SecretKey.random())
  }

  static func identity() -> StaticIdentity { StaticIdentity(secret: SecretKey.random()) }

  func shakeHands() throws {
    var handshake = handshake.take()!
    for _ in 0..<200 {
      try push(handshake.takeOutbound())
      if handshake.isComplete {
        let established = handshake.finish()
        handshakeHash = established.handshakeHash
        channel = consume established
        return
      }
      turn()
      try pull()
      let waiting = inbox
      let taken = try handshake.receive(waiting.span.bytes)
      inbox.removeFirst(taken)
    }
    preconditionFailure("no handshake")
  }

  /// Seals bytes of the stream of frames as one record.
  func send(_ plaintext: [UInt8]) throws { try push(sealed(plaintext.span.bytes)) }

  private func sealed(_ plaintext: RawSpan) -> [UInt8] {
    var record = ByteQueue()
    record.makeRoom(for: plaintext.byteCount + Record.overhead)
    record.fill { room in channel!.sealer.seal(plaintext: plaintext, into: &room) }
    return record.read(at: 0, count: record.count) { $0.copied }
  }

  func send(_ message: Message) throws {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    try send(frame)
  }

  /// The next message but DATA's bytes, which are passed over; nil where the connection ended or none comes.
  func next(turns: Int = 200) throws -> Message? {
    for _ in 0..<turns {
      if !messages.isEmpty { return messages.removeFirst() }
      if isEnded { return nil }
      turn()
      try pull()
      try openRecords()
    }
    return nil
  }

  private func openRecords() throws {
    while inbox.count >= 2, inbox.count >= 2 + (Int(inbox[0]) << 8 | Int(inbox[1])) {
      let length = Int(inbox[0]) << 8 | Int(inbox[1])
      var plain = Array(inbox[2..<2 + length])
      inbox.removeFirst(2 + length)
      var span = plain.mutableSpan
      var bytes = span.mutableBytes
      let count = try channel!.opener.open(inPlace: &bytes)
      plain.removeLast(plain.count - count)
      try decode(plain)
    }
  }

  private func decode(_ plain: [UInt8]) throws {
    var offset = 0
    while true {
      let due = min(decoder.payloadBytesDue, plain.count - offset)
      decoder.tookPayload(due)
      offset += due
      if decoder.payloadBytesDue > 0 { return }
      guard let message = try decoder.next(plain.span.bytes, at: &offset) else { return }
      messages.append(message)
    }
  }

  private func push(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    for _ in 0..<10_000 where !rest.isEmpty {
      if let count = try Array(rest).withSpan({ try socket.send($0) }) { rest = rest.dropFirst(count) } else { turn() }
    }
    precondition(rest.isEmpty, "the other end does not read")
  }

  private func pull() throws {
    var room = [UInt8](repeating: 0, count: 1 << 16)
    while !isEnded {
      var span = room.mutableSpan
      var bytes = span.mutableBytes
      guard let count = try socket.receive(into: &bytes) else { return }
      if count == 0 { isEnded = true }
      inbox += room[..<count]
    }
  }
}

extension [UInt8] {
  fileprivate func withSpan<T>(_ body: (RawSpan) throws -> T) rethrows -> T { try body(span.bytes) }
}

/// A folder for one test, gone with it. Holds no folders.
final class ReviewFolder {
  let path: String

  init() {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/p2pnode-review-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary folder")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A file of zeros, which take no room.
  func makeFile(_ name: String, length: UInt64) throws {
    try File(path + "/" + name, [.readWrite, .createExclusive]).truncate(to: length)
  }

  deinit {
    if let entries = try? Directory(path).entries() {
      for entry in entries { unlink(path + "/" + (entry.text ?? "")) }
    }
    rmdir(path)
  }
}

/// A loop that serves a folder and that the test turns itself.
struct TurnedServer {
  let folder = ReviewFolder()
  let loop: NetworkLoop
  let address: SocketAddress
  let entry: CatalogueEntry

  /// Serves one file of zeros, also under the names of hard links to it.
  init(fileLength: UInt64, linkCount: Int = 0, uploadLimit: UInt64? = nil) throws {
    let state = ReviewFolder()
    try folder.makeFile("zeros", length: fileLength)
    for i in 0..<linkCount { link(folder.path + "/zeros", folder.path + "/zeros-\(i)") }
    let served = try ServedFolder(folder.path)
    let catalogue = try Catalogue(folder: served, stateFolder: state.path) { FileKey($0, swarm: nil).bucket }
    catalogue.load(try FolderScan(served).files, threads: 1) { _ in }
    entry = catalogue.entries[0]
    var configuration = NodeConfiguration(identity: HandMadePeer.identity())
    configuration.loopCount = 1
    configuration.uploadLimit = uploadLimit
    let context = try NodeContext(configuration, catalogue: catalogue) { _ in }
    loop = try NetworkLoop(context: context, index: 0)
    let socket = try Socket.listening(on: SocketAddress(ipv4: (127, 0, 0, 1), port: 0))
    address = try socket.localAddress()
    try loop.listen(on: socket)
  }

  /// A peer that has shaken hands.
  func peer(receiveBytes: Int32? = 8192) throws -> HandMadePeer {
    let loop = loop
    let peer = try HandMadePeer(dialing: address, receiveBytes: receiveBytes) { _ = loop.turn() }
    try peer.shakeHands()
    return peer
  }
}
