// A loop that fetches from a scripted peer over one connection. The test itself runs its turns.
import Content
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

/// A loop that has dialled a scripted peer, and both ends of the conversation. The test runs the loop.
final class FetchingLoop {
  static let length = 100_000
  let loop: NetworkLoop
  let link: DownloadLink
  let token: ConnectionToken
  let peer: ScriptedPeer
  let id = ConnectionID(1)
  let leafHashes: [Digest]
  let layout = ChunkLayout(fileLength: UInt64(FetchingLoop.length))!
  let root: Digest
  private let key: FileKey

  init(payload: HandshakePayload = HandshakePayload()) throws {
    let content = [UInt8](repeating: 0, count: FetchingLoop.length)
    leafHashes = MerkleTree.leafHashes(content.span.bytes, leafSize: ChunkLayout.wireLeafSize)
    root = MerkleTree.chunkHash(leafHashes, in: layout)
    let fileID = FileID(kind: .file, length: UInt64(FetchingLoop.length), root: root)
    key = FileKey(fileID, swarm: nil)
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    let context = try NodeContext(configuration) { _ in }
    link = DownloadLink(fileID: fileID, key: key, on: context.threads) { _ in }
    let loop = try NetworkLoop(context: context, index: 0)
    self.loop = loop
    let listener = try Socket.listening(on: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    token = context.names.take(forLoop: 0)
    loop.mailbox.send(.dial(token, try listener.localAddress(), pinned: nil, suite: .chaChaPoly))
    _ = loop.turn()
    var accepted = try listener.accepting()
    for _ in 0..<100 where accepted == nil {
      _ = loop.turn()
      accepted = try listener.accepting()
    }
    peer = try ScriptedPeer(
      accepting: BlockingSocket(owning: try #require(accepted).socket), as: .random(), payload: payload,
      turn: { _ = loop.turn() })
  }

  var connection: PeerConnection? { loop.connections.values.first }

  func send(_ command: LoopCommand) {
    loop.mailbox.send(command)
    _ = loop.turn()
  }

  /// Receives the OPEN and sends the peer's OPENED.
  func open() throws {
    try ping()
    send(.open(token, id, link))
    guard case .open? = try peer.next() else {
      Issue.record("no OPEN")
      return
    }
    try peer.send(opened)
    try ping()
  }

  /// Lets a second download open a content on the connection. The peer does not answer. Returns the handle.
  func ask(for link: DownloadLink, as id: ConnectionID) throws -> FileHandle {
    send(.open(token, id, link))
    guard case .open(let open)? = try peer.next() else {
      Issue.record("no OPEN")
      throw PeerEnd.record
    }
    return open.handle
  }

  /// Makes another download of the node.
  func link(of sample: Sample) -> DownloadLink {
    DownloadLink(fileID: sample.fileID, key: FileKey(sample.fileID, swarm: nil), on: loop.context.threads) { _ in }
  }

  /// Waits until the loop has handled everything that was sent so far.
  func ping() throws {
    try peer.send(.ping(9))
    while let message = try peer.next() { if message == .pong(9) { return } }
  }

  var opened: Message {
    .opened(
      Opened(
        handle: FileHandle(1),
        outcome: .opened(
          OfferedFile(
            proof: key.haveProof(peer.handshakeHash, sender: .listener), kind: 0, length: UInt64(FetchingLoop.length),
            root: root, chunkSizeLog2: 20, availability: .complete, suggestedName: "zeros"))))
  }

  var page: Message { .page(PageAnswer(handle: FileHandle(1), page: 0, chunkHashes: [root], uncles: [])) }

  func request(_ request: UInt32) throws {
    send(
      .request(
        token, link.id,
        FetchRequest(
          id: RequestID(request), chunk: ChunkIndex(0), leaves: layout.leaves(of: ChunkIndex(0)), chunkHash: root)))
    guard case .request? = try peer.next() else {
      Issue.record("no REQUEST")
      return
    }
  }

  /// Receives up to the next GOODBYE and returns its code.
  func goodbye() throws -> CloseCode? {
    while let message = try peer.next() { if case .goodbye(let goodbye) = message { return goodbye.code } }
    return nil
  }
}
