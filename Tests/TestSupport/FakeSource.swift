// A listener whose answers a test writes: an honest source unless told otherwise, on threads of its own.
import Content
import Posix
import Synchronization

import Wire

/// What a source does when it is asked. The defaults are honest.
package struct SourceScript: Sendable {
  package typealias Answer<Asked> = @Sendable (ScriptedPeer, Asked, Sample) throws -> Void

  package var sample = Sample.common
  package var suites = CipherSuite.available
  package var swarm: SwarmKey?
  package var onConnect: @Sendable (ScriptedPeer) throws -> Void = { _ in }
  package var onOpen: Answer<Open> = { try $0.offer($2, as: $1.handle) }
  package var onPageGet: Answer<PageGet> = { try $0.sendPage($1, of: $2) }
  package var onRequest: Answer<ChunkRequest> = { try $0.answer($1, from: $2) }

  package init(_ sample: Sample = .common) { self.sample = sample }
}

/// Listens on 127.0.0.1 until `stop`, which every test calls.
package final class FakeSource: Sendable {
  /// What came in, and how it ended.
  package struct Log: Sendable {
    package var connections = 0
    package var messages: [Message] = []
    /// What could be decrypted of each connection, when it had ended.
    package var decrypted: [[UInt8]] = []
    package var suites: [CipherSuite] = []
    package var failures: [String] = []

    package var requests: [ChunkRequest] {
      messages.compactMap { if case .request(let request) = $0 { request } else { nil } }
    }
    package var goodbyes: [CloseCode] { messages.compactMap(\.goodbyeCode) }
  }

  package let identity: StaticIdentity
  package var peerID: PeerID { identity.peerID }
  package var address: SocketAddress { .loopback(listener.port) }
  package var log: Log { state.withLock { $0 } }

  private let listener: BlockingSocket
  private let state = Mutex(Log())
  private let thread = Mutex<Thread?>(nil)
  /// Closed when the first conversation has ended.
  private let firstEnd = BlockingQueue<Bool>()

  /// Answers by a script after the handshake.
  package convenience init(_ script: SourceScript = SourceScript(), identity: StaticIdentity = .random()) throws {
    try self.init(identity: identity) { source, socket in
      let peer: ScriptedPeer
      do {
        peer = try ScriptedPeer(accepting: socket, as: identity, suites: script.suites, swarm: script.swarm)
      } catch {
        return source.note { $0.failures.append("\(error)") }
      }
      source.note { $0.suites.append(peer.suite) }
      do { try source.converse(with: peer, script) } catch { source.note { $0.failures.append("\(error)") } }
      source.note { $0.decrypted.append(peer.decrypted) }
    }
  }

  /// Does anything at all with each connection.
  package init(
    identity: StaticIdentity = .random(), onAll: Bool = false,
    raw: @escaping @Sendable (FakeSource, BlockingSocket) -> Void
  ) throws {
    self.identity = identity
    listener = try BlockingSocket(listeningOnAll: onAll)
    let accepting = Thread.start(name: "fake-source") { [self] in
      var conversations: [Thread] = []
      while let socket = listener.accept() {
        note { $0.connections += 1 }
        conversations.append(
          Thread.start(name: "fake-source") {
            raw(self, socket)
            socket.shutDown()
            self.firstEnd.close()
          })
      }
      for conversation in conversations { conversation.join() }
    }
    thread.withLock { $0 = accepting }
  }

  /// Stops listening, and waits until all conversations have ended: for the log to be whole.
  package func stop() {
    listener.shutDown()
    firstEnd.close()
    thread.withLock { $0.take() }?.join()
  }

  /// Waits until a conversation has ended here, or until it is stopped.
  package func awaitFirstEnd() { _ = firstEnd.take() }

  package func note(_ change: (inout Log) -> Void) { state.withLock { change(&$0) } }

  package func converse(with peer: ScriptedPeer, _ script: SourceScript) throws {
    try script.onConnect(peer)
    while true {
      let message: Message
      do { message = try peer.receive().message } catch SocketEnd.endOfStream { return }
      note { $0.messages.append(message) }
      if case .goodbye = message { return }
      do {
        try answer(message, to: peer, script)
      } catch SocketEnd.broken {
        // The other end has closed; what it said before can still be read.
      }
    }
  }

  private func answer(_ message: Message, to peer: ScriptedPeer, _ script: SourceScript) throws {
    switch message {
    case .open(let open): try script.onOpen(peer, open, script.sample)
    case .pageGet(let get): try script.onPageGet(peer, get, script.sample)
    case .request(let request): try script.onRequest(peer, request, script.sample)
    case .ping(let number): try peer.send(.pong(number))
    default: break
    }
  }
}

extension SourceScript {
  /// Honest, but does not open the file before somebody else's first conversation has ended: so that one had its turn.
  package static func after(_ other: FakeSource, _ sample: Sample = .common) -> SourceScript {
    var script = SourceScript()
    script.sample = sample
    script.onOpen = { peer, open, sample in
      other.awaitFirstEnd()
      try peer.offer(sample, as: open.handle)
    }
    return script
  }
}

// MARK: Answers, right ones and others

extension ScriptedPeer {
  /// OPENED with the file's manifest, or one that was changed.
  package func offer(
    _ sample: Sample, as handle: FileHandle, proof: Digest? = nil, kind: UInt8 = 0, length: UInt64? = nil,
    root: Digest? = nil, chunkSizeLog2: UInt8 = 20, availability: OfferedFile.Availability = .complete,
    name: String? = nil, swarm: SwarmKey? = nil
  ) throws {
    let key = FileKey(sample.fileID, swarm: swarm)
    try send(
      .opened(
        Opened(
          handle: handle,
          outcome: .opened(
            OfferedFile(
              proof: proof ?? key.haveProof(handshakeHash, sender: role), kind: kind,
              length: length ?? sample.layout.fileLength, root: root ?? sample.file.root,
              chunkSizeLog2: chunkSizeLog2, availability: availability, suggestedName: name ?? sample.name)))))
  }

  package func refuse(_ handle: FileHandle, _ refusal: Opened.Refusal) throws {
    try send(.opened(Opened(handle: handle, outcome: .refused(refusal))))
  }

  package func sendPage(_ get: PageGet, of sample: Sample) throws {
    let page = sample.tree.page(PageIndex(get.page))!
    try send(
      .page(PageAnswer(handle: get.handle, page: get.page, chunkHashes: page.chunkHashes, uncles: page.uncles)))
  }

  /// The frames of a whole answer, with `change` made to each piece's bytes and to the leaf hashes.
  package func answerFrames(
    _ request: ChunkRequest, from sample: Sample, changeBytes: (inout [UInt8]) -> Void = { _ in },
    changeHashes: (inout [Digest]) -> Void = { _ in }
  ) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var first = request.leaves.first
    while first < request.leaves.end {
      let leaves = LeafRange(first: first, count: min(4, request.leaves.end - first))
      var bytes = sample.leaves(leaves, of: request.chunk)
      changeBytes(&bytes)
      var hashes: [Digest] = []
      if request.wantsLeafHashes && first == request.leaves.first {
        hashes = sample.leafHashes[Int(request.chunk.rawValue)]
        changeHashes(&hashes)
      }
      let header = DataHeader(
        id: request.id, leaves: leaves, isLast: leaves.end == request.leaves.end, leafHashes: hashes,
        byteCount: bytes.count)
      frames.append(Message.data(header).frame + bytes)
      first = leaves.end
    }
    return frames
  }

  package func answer(_ request: ChunkRequest, from sample: Sample) throws {
    for frame in answerFrames(request, from: sample) { try send(frames: frame) }
  }

  /// A whole answer in which every leaf is wrong, under the right leaf hashes.
  package func answerWrongly(_ request: ChunkRequest, from sample: Sample) throws {
    let frames = answerFrames(
      request, from: sample,
      changeBytes: { bytes in for i in stride(from: 0, to: bytes.count, by: 16_384) { bytes[i] ^= 1 } })
    for frame in frames { try send(frames: frame) }
  }
}
