// The state that all loops of a node share. Each mutable part has its own lock.
import Content
import Posix
import Sodium
import Storage
import Synchronization
import Transfer
import Wire

/// A report of a node to the program that runs it. Names and texts come unchanged from the peer or the file system:
/// escape them before printing.
public enum NodeEvent: Sendable {
  /// The handshake of an incoming connection is done.
  case connected(PeerID, Endpoint)
  /// An incoming connection whose handshake was done has ended.
  case disconnected(PeerID, Endpoint, ConnectionEnd)
  /// An incoming connection ended before its peer proved its PeerID.
  case turnedAway(Endpoint, ConnectionEnd)
  /// A peer has opened a served file or folder.
  case opened(PeerID, Endpoint, path: String)
  /// A peer closed a content or disconnected after bytes of it were sent: their number, and the time since the peer
  /// opened it. Each opening is reported on its own.
  case uploaded(PeerID, Endpoint, path: String, bytes: UInt64, Duration)
  /// A file is no longer offered. The text says why.
  case withdrawn(path: String, String)
  /// The system refuses new connections. The node tries again after a second.
  case cannotAccept(Errno)
  /// Some nodes that look for this one cannot find it. The text says why.
  case notDiscoverable(String)
}

/// The settings of a node. Starting a node with a value out of range throws `ServerError.invalid`.
public struct NodeConfiguration: Sendable {
  /// The secret key whose public half is the PeerID.
  public var identity: StaticIdentity
  /// The key of a private swarm. Nil: a public node.
  public var swarmKey: SwarmKey?
  /// The cipher suites for dialling and listening, the preferred one first. ChaChaPoly is always among them.
  public var suites: [CipherSuite]
  /// The most incoming connections at a time, from 1; nil: 1,024. Fewer if the process may not open as many files
  /// (`Server.connectionsMax`).
  public var connectionsMax: Int?
  /// Bytes a second that the node sends over all connections, from 1; nil: no limit.
  public var uploadLimit: UInt64?
  /// Bytes a second that all downloads fetch together, from 1; nil: no limit.
  public var downloadLimit: UInt64?
  /// Bytes a second that the node sends to each address, over all its connections, from 1; nil: no limit.
  public var uploadLimitPerPeer: UInt64?
  /// The part of the network in which the node is. Every peer learns it. Peers of the same zone are preferred, and the
  /// nodes of a zone fetch each chunk from outside it about once. Nil: zones play no part.
  public var zone: ZoneName?
  /// The peers that may connect; nil: all. Peers that this node dials need not be in the list.
  public var allowedPeers: Set<PeerID>?
  /// The places where the node looks for peers and can be found; nil: none.
  public var discovery: DiscoverySettings?
  /// Counts which peers fetch which contents; nil: no counting.
  public var fetchWatch: FetchWatch?
  /// Threads that talk to peers, 1…1,024.
  public var loopCount = min(Thread.processorCount, 8)
  /// The most bytes that the outboxes of all connections may hold together.
  var outboxesBytesMax = NodeLimits.outboxesBytesMax
  /// The clock of the file system.
  var fileTime: @Sendable () -> FileTime = { Clock.fileTime }

  /// - `identity`: by default a fresh one.
  public init(
    identity: StaticIdentity = StaticIdentity(secret: .random()), swarmKey: SwarmKey? = nil,
    suites: [CipherSuite] = CipherSuite.available
  ) {
    self.identity = identity
    self.swarmKey = swarmKey
    self.suites = suites
  }
}

extension NodeConfiguration {
  /// The first setting with an invalid value; nil: all are valid.
  var fault: SettingFault? {
    connectionsMax.flatMap { SettingFault("connectionsMax", $0, atLeast: 1) }
      ?? uploadLimit.flatMap { SettingFault("uploadLimit", $0, atLeast: 1) }
      ?? uploadLimitPerPeer.flatMap { SettingFault("uploadLimitPerPeer", $0, atLeast: 1) }
      ?? downloadLimit.flatMap { SettingFault("downloadLimit", $0, atLeast: 1) }
      ?? SettingFault("loopCount", loopCount, in: 1...1_024)
  }
}

/// The limits of `NodeConfiguration` that can change while the node runs.
private struct ChangingLimits {
  let connectionsMax: Int?
  let allowedPeers: Set<PeerID>?

  func isAllowed(_ peer: PeerID) -> Bool { allowedPeers?.contains(peer) ?? true }
}

extension ChangingLimits {
  init(_ configuration: NodeConfiguration) {
    self.init(connectionsMax: configuration.connectionsMax, allowedPeers: configuration.allowedPeers)
  }
}

final class NodeContext: Sendable {
  let configuration: NodeConfiguration
  var swarmKey: SwarmKey? { configuration.swarmKey }
  /// The contents that peers may open.
  let offered = OfferedContents()
  let uploadLimiter: UploadLimiter
  let admission: Admission
  /// One mailbox per loop, in the order of the loops' indices.
  let mailboxes: [Mailbox<LoopCommand>]
  let counters = NodeCounters()
  let outboxes: OutboxMemory
  /// Searches for peers that the user did not name; nil if discovery is off.
  let asker: DiscoveryAsker?
  private let onEvent: @Sendable (NodeEvent) -> Void
  let events = NodeEventSource()
  let swarms = ContentSwarms()
  let records = ConnectionRecords()
  let rechecker = Rechecker()
  let listingOpener = ListingOpener()
  let startedNanoseconds = Clock.monotonicNanoseconds
  /// The address that other nodes may dial; nil: the node does not listen.
  let address: Endpoint?
  /// The threads of all downloads.
  let threads: DownloadThreads
  /// The mailbox of the thread that knows which downloads use which connections.
  var control: Mailbox<ControlMessage> { threads.control }
  let following: FolderFollowing
  private let uploadedBytes = Atomic<UInt64>(0)
  /// Nil: the node is in no zone.
  private let zoneBytes: Mutex<ZoneBytes>?
  /// The downloads that have not ended, by their fileIDs.
  private let downloads = Mutex<[FileID: Download]>([:])
  let names = ConnectionNames()
  private let limits: Mutex<ChangingLimits>

  /// - `address`: the address that other nodes may dial; nil: the node does not listen.
  init(
    _ configuration: NodeConfiguration, address: Endpoint? = nil, report: @escaping @Sendable (NodeEvent) -> Void
  ) throws(Errno) {
    self.address = address
    threads = try DownloadThreads()
    asker = try configuration.discovery.map { settings throws(Errno) in
      try DiscoveryAsker(settings, own: configuration.identity.peerID)
    }
    self.configuration = configuration
    onEvent = report
    limits = Mutex(ChangingLimits(configuration))
    zoneBytes = configuration.zone.map { _ in Mutex(ZoneBytes()) }
    uploadLimiter = UploadLimiter(
      bytesPerSecond: configuration.uploadLimit, perPeer: configuration.uploadLimitPerPeer)
    admission = Admission(places: ConnectionPlaces(configuration, folderCount: 0, downloadCount: 0))
    outboxes = OutboxMemory(byteCountMax: configuration.outboxesBytesMax)
    following = try FolderFollowing()
    var mailboxes: [Mailbox<LoopCommand>] = []
    for _ in 0..<configuration.loopCount { mailboxes.append(try Mailbox()) }
    self.mailboxes = mailboxes
  }

  /// Counts an event, and reports it to the program that runs the node.
  func report(_ event: NodeEvent) {
    counters.note(event)
    onEvent(event)
    events.report(event)
  }

  /// The payload that the handshake sends. A node that fetches has one connection to a peer, because a download counts
  /// what each peer gives. A node that only serves accepts several.
  private var payload: HandshakePayload {
    HandshakePayload(
      listenPort: address?.port, capabilities: fetches ? [] : .severalConnections, agent: "p2pnode",
      requestsInFlightMax: UInt16(ProtocolLimits.requestsInFlightMax), zone: configuration.zone)
  }

  /// Whether both ends accept several connections between the same two peers.
  func meansSeveral(_ remote: HandshakePayload) -> Bool {
    !fetches && remote.capabilities.contains(.severalConnections)
  }

  func isAllowed(_ peer: PeerID) -> Bool { limits.withLock { $0.isAllowed(peer) } }

  /// Changes the limits. Connected peers that are no longer allowed are disconnected; a lower `connectionsMax`
  /// disconnects none.
  func reconfigure(
    uploadLimit: UInt64?, uploadLimitPerPeer: UInt64?, connectionsMax: Int?, allowedPeers allowed: Set<PeerID>?
  ) {
    uploadLimiter.change(to: uploadLimit, perPeer: uploadLimitPerPeer)
    limits.withLock { $0 = ChangingLimits(connectionsMax: connectionsMax, allowedPeers: allowed) }
    countPlaces()
    sendToAllLoops(.reconfigured)
  }

  /// Changes the limits in bytes a second. Nil: no limit.
  func limit(uploads: UInt64?, uploadsPerPeer: UInt64?, downloads: UInt64?) {
    uploadLimiter.change(to: uploads, perPeer: uploadsPerPeer)
    sendToAllLoops(.reconfigured)
    control.send(.downloadLimit(downloads))
  }

  /// Counts the places for incoming connections again after a folder or download came or went. Each needs descriptors,
  /// which connections then cannot have.
  func countPlaces() {
    var current = configuration
    current.connectionsMax = limits.withLock { $0.connectionsMax }
    let places = ConnectionPlaces(
      current, folderCount: offered.folders.count, downloadCount: downloads.withLock { $0.count })
    admission { $0.change(places: places) }
  }

  // MARK: Folders and downloads

  func add(_ folder: FolderShare) {
    offered.add(folder)
    countPlaces()
  }

  /// Whether a download runs.
  private var fetches: Bool { downloads.withLock { !$0.isEmpty } }

  /// The downloads that have not ended, including paused ones.
  var runningDownloads: [Download] { downloads.withLock { Array($0.values) } }

  /// Registers a download that begins. Returns false if another one of the same file has not ended.
  func downloadBegins(_ download: Download) -> Bool {
    let isAlone = downloads.withLock { downloads in
      guard downloads[download.fileID] == nil else { return false }
      downloads[download.fileID] = download
      return true
    }
    if isAlone { countPlaces() }
    return isAlone
  }

  func downloadEnded(_ download: Download) {
    downloads.withLock { $0[download.fileID] = nil }
    countPlaces()
  }

  /// Whether files are still being hashed: a file that is not found now may be served later.
  var isScanning: Bool { offered.isScanning }

  /// File bytes sent since the start.
  var uploaded: UInt64 { uploadedBytes.load(ordering: .relaxed) }
  /// File bytes sent since the start, by the zones of the peers. Nil: the node is in no zone.
  var uploadedByZone: ZoneBytes? { zoneBytes?.withLock { $0 } }

  /// Counts file bytes that were sent.
  /// - `zone`: the zone that the peer announced.
  func uploaded(_ bytes: Int, to zone: ZoneName?) {
    uploadedBytes.add(UInt64(bytes), ordering: .relaxed)
    guard let own = configuration.zone else { return }
    zoneBytes?.withLock { $0[PeerZone(zone, own: own)] += UInt64(bytes) }
  }

  /// Withdraws a served file that has changed since it was hashed. The node sends no more of it to any peer, unless
  /// another path has the same bytes, and checks which file is at the path now.
  func withdraw(_ entry: CatalogueEntry, of folder: FolderShare, because error: StoredFileError) {
    guard folder.catalogue.withdraw(entry) else { return }
    let reason = Withdrawn.Reason(error)
    counters.withdrew(reason)
    report(.withdrawn(path: entry.path, "\(error)"))
    sendToAllLoops(.withdraw(entry, reason))
    following.look(at: entry.path, in: folder)
  }

  /// Withdraws the changed file of a download. Peers are sent the reason before the download ends because of it.
  func withdraw(_ share: DownloadShare, because error: StoredFileError) {
    guard share.withdraw() else { return }
    sendToAllLoops(.withdrawDownload(share, Withdrawn.Reason(error)))
    share.link.send(.unreadable(error))
  }

  func sendToAllLoops(_ command: LoopCommand) {
    for mailbox in mailboxes { mailbox.send(command) }
  }

  func dialing(pinned: PeerID?, suite: CipherSuite) -> ChannelHandshake {
    ChannelHandshake(
      dialing: configuration.identity, suite: suite, swarm: configuration.swarmKey, pinned: pinned,
      payload: payload, ephemeral: SecretKey.random())
  }

  func listening() -> ChannelHandshake {
    ChannelHandshake(
      listening: configuration.identity, suites: configuration.suites, swarm: configuration.swarmKey,
      payload: payload, ephemeral: SecretKey.random())
  }
}

extension Withdrawn.Reason {
  init(_ error: StoredFileError) {
    switch error {
    case .changed: self = .changed
    case .removed: self = .removed
    case .unreadable: self = .unreadable
    case .busy: preconditionFailure("a shortage withdraws nothing")
    }
  }
}
