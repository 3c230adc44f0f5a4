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
  package var onPageGet: Answer<PageGet> = { try $0.send($2.page($1)) }
  package var onRequest: Answer<ChunkRequest> = { try $0.send(each: $2.answer($1)) }

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
  package var address: Endpoint { .loopback(listener.port) }
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
  /// Honest, but opens the file only after the first conversation of another source has ended, which so had its turn.
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
  /// OPENED with the file's manifest, or with one that is changed.
  package func offer(
    _ file: some AnsweredFile, as handle: FileHandle, proof: Digest? = nil, kind: UInt8? = nil, length: UInt64? = nil,
    root: Digest? = nil, chunkSizeLog2: UInt8? = nil, availability: OfferedFile.Availability? = nil,
    name: String? = nil, swarm: SwarmKey? = nil
  ) throws {
    let key = FileKey(file.fileID, swarm: swarm)
    try send(
      file.opened(
        handle, proof: proof ?? key.haveProof(handshakeHash, sender: role), kind: kind, length: length, root: root,
        chunkSizeLog2: chunkSizeLog2, availability: availability, name: name))
  }

  package func refuse(_ handle: FileHandle, _ refusal: Opened.Refusal) throws {
    try send(.opened(Opened(handle: handle, outcome: .refused(refusal))))
  }

  /// Sends frames one by one, so that each is in a record of its own.
  package func send(each frames: some Sequence<[UInt8]>) throws { for frame in frames { try send(frames: frame) } }

  /// The right answer, always late: it goes out when the download cancels the request, because its time is over.
  package func answerLate(_ request: ChunkRequest, from file: some AnsweredFile) throws {
    var isDue = true
    while isDue {
      do { isDue = try receive().message != .cancel(request.id) } catch SocketEnd.timedOut { continue }
    }
    try send(each: file.answer(request))
  }

  /// A whole answer in which every leaf is wrong, under the right leaf hashes.
  package func answerWrongly(_ request: ChunkRequest, from file: some AnsweredFile) throws {
    try send(
      each: file.answer(
        request,
        changeBytes: { bytes, _ in
          for i in stride(from: 0, to: bytes.count, by: ChunkLayout.wireLeafSize) { bytes[i] ^= 1 }
        }))
  }
}
