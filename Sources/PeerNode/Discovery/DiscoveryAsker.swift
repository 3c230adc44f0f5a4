// The asking side of discovery: one thread performs the `DiscoverySearch` of every download of a node.
import Posix
import Sodium
import Synchronization
import Transfer
import Wire

/// The searches of a node's downloads. Each download is sent the addresses that its search finds. Any thread may call
/// it.
final class DiscoveryAsker: Sendable {
  fileprivate enum Command: Sendable {
    case begin(DownloadLink, asksAfter: Duration, firstPhase: Duration, isPatient: Bool)
    case peers(DownloadID, live: Int, wanted: Int)
    case end(DownloadID)
    case stop
  }

  private let settings: DiscoverySettings
  private let own: PeerID
  private let mailbox: Mailbox<Command>
  private let thread = Mutex<Thread?>(nil)

  /// Makes an asker without a thread: the first search starts it.
  init(_ settings: DiscoverySettings, own: PeerID) throws(Errno) {
    self.settings = settings
    self.own = own
    mailbox = try Mailbox()
  }

  /// Searches for peers of a download's content.
  /// - `asksAfter`: how long after the start the first question is sent.
  /// - `firstPhase`: how long after the start the download is sent `discoverySettled`.
  func begin(
    _ link: DownloadLink, asksAfter: Duration, firstPhase: Duration, isPatient: Bool
  ) throws(Errno) {
    try thread.withLock { thread throws(Errno) in
      if thread != nil { return }
      // Safe: it is handed over before the thread starts, and from then on only that thread touches it.
      nonisolated(unsafe) let loop = try DiscoveryAskerLoop(settings, own, mailbox)
      thread = Thread.start(name: "p2p-ask") { loop.run() }
    }
    mailbox.send(.begin(link, asksAfter: asksAfter, firstPhase: firstPhase, isPatient: isPatient))
  }

  /// Reports how many live peers a download has and how many it wants.
  func peers(of download: DownloadID, live: Int, wanted: Int) {
    mailbox.send(.peers(download, live: live, wanted: wanted))
  }

  /// Ends the search of a download.
  func end(_ download: DownloadID) { mailbox.send(.end(download)) }

  /// Ends the thread. Do not call `begin` afterwards.
  func stop() {
    mailbox.send(.stop)
    thread.withLock { $0.take() }?.join()
  }
}

private final class DiscoveryAskerLoop {
  /// How many datagrams are read from one socket before other work gets its turn.
  private static let datagramsPerTurn = 256
  private static let mailboxToken: UInt64 = 0

  /// The search of one download.
  private final class Search {
    let link: DownloadLink
    var state: DiscoverySearch
    var asked: Set<String> = []
    var localNodes = 0
    var found = 0
    /// The nonces of the latest queries, the newest last.
    var nonces: [[UInt8]] = []

    init(_ link: DownloadLink, _ state: DiscoverySearch) { (self.link, self.state) = (link, state) }
  }

  private let settings: DiscoverySettings
  private let mailbox: Mailbox<DiscoveryAsker.Command>
  private let own: PeerID
  private var epoll: Epoll
  /// The sockets that send queries and receive answers; nil without multicast, or if the system lacks the address
  /// family.
  private var socketIPv4: DatagramSocket?
  private var socketIPv6: DatagramSocket?
  private var networks = LocalNetworks([])
  private var clock = LoopClock()
  private var now: Instant
  private var searches: [DownloadID: Search] = [:]
  private var deadlines = DeadlineQueue<DownloadID>()
  /// The download whose search sent a nonce.
  private var byNonce: [[UInt8]: DownloadID] = [:]
  private var isStopped = false

  init(
    _ settings: DiscoverySettings, _ own: PeerID, _ mailbox: Mailbox<DiscoveryAsker.Command>
  ) throws(Errno) {
    self.settings = settings
    self.mailbox = mailbox
    self.own = own
    now = clock.now()
    epoll = try Epoll(capacity: 4)
    try epoll.add(mailbox.number, token: DiscoveryAskerLoop.mailboxToken, .readable)
    let anyIPv4 = Endpoint(ipv4: (0, 0, 0, 0), port: 0)
    socketIPv4 = settings.multicast ? try? DatagramSocket.bound(to: anyIPv4) : nil
    socketIPv6 = settings.multicast ? try? DatagramSocket.bound(to: .any(port: 0)) : nil
    if let number = socketIPv4?.number { try epoll.add(number, token: 4, .readable) }
    if let number = socketIPv6?.number { try epoll.add(number, token: 6, .readable) }
  }

  func run() {
    while !isStopped {
      let milliseconds = deadlines.next.map { due in
        Int32(clamping: max(0, ((due - now).wholeNanoseconds + 999_999) / 1_000_000))
      }
      var ready: [UInt64] = []
      do { try epoll.wait(milliseconds: milliseconds ?? -1) { token, _ in ready.append(token) } } catch {
        preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
      }
      now = clock.now(afterWaiting: milliseconds ?? -1)
      for command in mailbox.takeAll() { perform(command) }
      if ready.contains(4) { receive(isIPv4: true) }
      if ready.contains(6) { receive(isIPv4: false) }
      while let id = deadlines.popDue(at: now) { if let search = searches[id] { handle(.timerFired, of: search) } }
      now = clock.now()
    }
  }

  private func perform(_ command: DiscoveryAsker.Command) {
    switch command {
    case .begin(let link, let asksAfter, let firstPhase, let isPatient):
      let state = DiscoverySearch(
        key: link.searchKey, own: own, asksNetwork: settings.multicast, asksAfter: asksAfter, firstPhase: firstPhase,
        isPatient: isPatient, generator: SeededGenerator(seed: Random.uint64()), at: now)
      let search = Search(link, state)
      searches[link.id] = search
      handle(.timerFired, of: search)  // the first look is due at once
    case .peers(let id, let live, let wanted):
      if let search = searches[id] { handle(.peers(live: live, wanted: wanted), of: search) }
    case .end(let id):
      for nonce in searches.removeValue(forKey: id)?.nonces ?? [] { byNonce[nonce] = nil }
      deadlines.cancel(id)
    case .stop: isStopped = true
    }
  }

  private func handle(_ event: DiscoverySearch.Event, of search: Search) {
    search.state.handle(event, at: now)
    while let action = search.state.nextAction() { perform(action, of: search) }
    if let deadline = search.state.deadline {
      deadlines.set(search.link.id, at: deadline)
    } else {
      deadlines.cancel(search.link.id)
    }
  }

  private func perform(_ action: DiscoverySearch.Action, of search: Search) {
    switch action {
    case .look: look(search)
    case .ask: ask(search)
    case .found(let address, let peer):
      search.found += 1
      search.link.send(.hinted(address, peer))
    case .firstPhaseOver:
      let interfaces = settings.multicast ? search.asked.sorted() : nil
      search.link.send(
        .discoverySettled(
          DiscoverySummary(localNodes: search.localNodes, interfaces: interfaces, found: search.found)))
    }
  }

  private func look(_ search: Search) {
    guard let folder = settings.localNodesFolder else { return }
    let nodes = LocalNodes.nodes(in: folder).filter { $0.peer != own }
    search.localNodes = nodes.count
    for node in nodes {
      for address in node.addresses {
        let address = PeerAddress(ip: address.ip, port: address.port, scope: address.scope)
        search.state.handle(.localNode(address, node.peer), at: now)
      }
    }
  }

  private func ask(_ search: Search) {
    networks = .current
    var nonce: [UInt8] = []
    while nonce.count < Discovery.nonceBytes { nonce.append(bigEndian: Random.uint64()) }
    let query = search.state.nextQuery(nonce: nonce, at: now).encode()
    search.nonces.append(nonce)
    byNonce[nonce] = search.link.id
    if search.nonces.count > DiscoverySearch.outstandingMax { byNonce[search.nonces.removeFirst()] = nil }
    // If sending to a network fails now, the next round asks it again.
    for interface in networks.interfaces(isIPv4: true) {
      try? socketIPv4?.send(query, to: LocalNetworks.group(isIPv4: true), interface: interface.index)
      search.asked.insert(interface.name)
    }
    for interface in networks.interfaces(isIPv4: false) {
      try? socketIPv6?.send(query, to: LocalNetworks.group(isIPv4: false), interface: interface.index)
      search.asked.insert(interface.name)
    }
  }

  private func receive(isIPv4: Bool) {
    for _ in 0..<DiscoveryAskerLoop.datagramsPerTurn {
      let received =
        isIPv4
        ? try? socketIPv4?.receive(byteCountMax: Discovery.datagramBytes)
        : try? socketIPv6?.receive(byteCountMax: Discovery.datagramBytes)
      guard let (bytes, from) = received else { return }
      guard networks.hold(from), let answer = DiscoveryAnswer(decoding: bytes),
        let search = byNonce[answer.nonce].flatMap({ searches[$0] })
      else { continue }
      handle(.datagram(bytes, from: from.ip, scope: from.scope), of: search)
    }
  }
}
