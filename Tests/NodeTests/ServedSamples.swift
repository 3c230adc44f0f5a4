// A server of the samples for one test. It records its events.
import Content
import Posix
import Sodium
import Storage
import TestSupport

@testable import PeerNode
@testable import Wire

/// A server of the common samples in its own folders, for one test.
final class ServedSamples {
  let server: Server
  private let folder = TemporaryFolder()
  private let state = TemporaryFolder()
  private let events = EventLog()

  init(
    _ samples: [Sample] = [.common, .small], swarm: SwarmKey? = nil, connectionsMax: Int = 64,
    suites: [CipherSuite] = CipherSuite.available, allowed: Set<PeerID>? = nil, uploadLimit: UInt64? = nil,
    loopCount: Int = 2, outboxesBytesMax: Int = NodeLimits.outboxesBytesMax
  ) throws {
    for sample in samples { folder.write(sample.name, sample.bytes) }
    var configuration = NodeConfiguration(identity: .random(), swarmKey: swarm, suites: suites)
    configuration.connectionsMax = connectionsMax
    configuration.allowedPeers = allowed
    configuration.uploadLimit = uploadLimit
    configuration.loopCount = loopCount
    configuration.outboxesBytesMax = outboxesBytesMax
    let events = self.events
    server = try Server(
      configuration, folder: folder.path, listen: .loopback(0), stateFolder: state.path
    ) { events.add($0) }
    try server.scan { _ in }
  }

  deinit { server.shutDown(grace: .zero) }

  var address: Endpoint { server.address }
  func dial(swarm: SwarmKey? = nil) throws -> ScriptedPeer { try ScriptedPeer(dialling: address, swarm: swarm) }

  /// Returns a peer that dials from 127.0.0.`last`.
  func dial(
    from last: UInt8, as identity: StaticIdentity = .random(), capabilities: Capabilities = []
  ) throws -> ScriptedPeer {
    try ScriptedPeer(
      dialling: address, from: .loopback(0, last: last), as: identity, capabilities: capabilities)
  }

  /// Returns a client that has opened the common sample.
  func client(from last: UInt8 = 1) throws -> ScriptedPeer {
    let peer = try dial(from: last)
    guard case .opened(let opened) = try peer.open(Sample.common.fileID), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return peer
  }

  /// Returns the next event of the server that `matches`. Nil if none arrives within the bound.
  func event(_ matches: @Sendable (NodeEvent) -> Bool) -> NodeEvent? { events.next(matches) }

  /// Whether an honest newcomer receives what it requests.
  func servesNewcomers() throws -> Bool {
    try client().fetch(0, first: 8, count: 9) == Sample.common.leaves(LeafRange(first: 8, count: 9), of: ChunkIndex(0))
  }
}

/// Events in the order of arrival. A thread can wait for one.
final class EventLog: Sendable {
  private let events = BlockingQueue<NodeEvent>()

  func add(_ event: NodeEvent) { events.put(event) }

  func next(_ matches: (NodeEvent) -> Bool) -> NodeEvent? {
    let events = self.events
    let watchdog = Watchdog(seconds: 10) { events.close() }
    defer { withExtendedLifetime(watchdog) {} }
    while let event = events.take() { if matches(event) { return event } }
    return nil
  }
}
