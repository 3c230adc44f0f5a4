// A listener that answers by a script, on its own threads. Without changes to the script it is an honest source.
import Content
import Posix
import Synchronization

import Wire

/// How a source answers each message. The defaults are honest.
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
  /// What the source received, and how each connection ended.
  package struct Log: Sendable {
    package var connections = 0
    package var messages: [Message] = []
    /// The decrypted bytes of each connection that has ended.
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

  /// Completes the handshake, then answers by a script.
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

  /// Handles each connection with the given closure.
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

  /// Stops listening and waits until all conversations have ended, so that the log is complete.
  package func stop() {
    listener.shutDown()
    firstEnd.close()
    thread.withLock { $0.take() }?.join()
  }

  /// Waits until a conversation has ended here or the source is stopped.
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
        // The other end has closed. What it sent before can still be read.
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
  /// Returns an honest script that opens the file only after the first conversation of another source has ended.
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

// MARK: Correct and incorrect answers

extension ScriptedPeer {
  /// Sends OPENED with the file's manifest. Each given field replaces the true one.
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

  /// Sends each frame in its own record.
  package func send(each frames: some Sequence<[UInt8]>) throws { for frame in frames { try send(frames: frame) } }

  /// Sends the correct answer, but always late: after the download has timed out and cancelled the request.
  package func answerLate(_ request: ChunkRequest, from file: some AnsweredFile) throws {
    var isDue = true
    while isDue {
      do { isDue = try receive().message != .cancel(request.id) } catch SocketEnd.timedOut { continue }
    }
    try send(each: file.answer(request))
  }

  /// Sends a complete answer in which each leaf is wrong and the leaf hashes are right.
  package func answerWrongly(_ request: ChunkRequest, from file: some AnsweredFile) throws {
    try send(
      each: file.answer(
        request,
        changeBytes: { bytes, _ in
          for i in stride(from: 0, to: bytes.count, by: ChunkLayout.wireLeafSize) { bytes[i] ^= 1 }
        }))
  }
}
