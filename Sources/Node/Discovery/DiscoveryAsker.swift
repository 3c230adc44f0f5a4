// The asking side: one thread that performs a `DiscoverySearch` for one download.
import Posix
import Sodium
import Transfer
import Wire

/// A search while it runs; its hints go to the download.
final class DiscoveryAsker: Sendable {
  fileprivate enum Command: Sendable {
    case peers(live: Int, wanted: Int)
    case stop
  }

  private let mailbox: Mailbox<Command>

  /// - `asksAfter`: the first question is sent so long after the start.
  /// - `firstPhase`: after it, `discoverySettled` is sent.
  init(
    _ settings: DiscoverySettings, for link: DownloadLink, own: PeerID, asksAfter: Duration, firstPhase: Duration
  ) throws(Errno) {
    mailbox = try Mailbox()
    // Handed over before the thread starts, and from then on touched by that thread alone.
    nonisolated(unsafe) let loop = try DiscoveryAskerLoop(
      settings, link, own, asksAfter: asksAfter, firstPhase: firstPhase, mailbox)
    Thread.start(name: "p2p-ask") { loop.run() }.detach()
  }

  /// The download has so many peers and wants so many.
  func peers(live: Int, wanted: Int) { mailbox.send(.peers(live: live, wanted: wanted)) }

  /// Ends the thread soon: it may look at a folder just now.
  func stop() { mailbox.send(.stop) }
}

private final class DiscoveryAskerLoop {
  /// Datagrams taken from one socket before anything else is looked at.
  private static let datagramsPerTurn = 256

  private let settings: DiscoverySettings
  private let mailbox: Mailbox<DiscoveryAsker.Command>
  private let link: DownloadLink
  private let own: PeerID
  private var epoll: Epoll
  /// The sockets that send queries and get the answers; nil if the system lacks the family.
  private var socketIPv4: DatagramSocket?
  private var socketIPv6: DatagramSocket?
  private var networks = LocalNetworks([])
  private var clock = LoopClock()
  private var now: Instant
  private var search: DiscoverySearch
  private var asked: Set<String> = []
  private var localNodes = 0
  private var found = 0
  private var isStopped = false

  init(
    _ settings: DiscoverySettings, _ link: DownloadLink, _ own: PeerID, asksAfter: Duration, firstPhase: Duration,
    _ mailbox: Mailbox<DiscoveryAsker.Command>
  ) throws(Errno) {
    self.settings = settings
    self.mailbox = mailbox
    self.link = link
    self.own = own
    now = clock.now()
    search = DiscoverySearch(
      key: link.key, own: own, asksNetwork: settings.multicast, asksAfter: asksAfter, firstPhase: firstPhase,
      generator: SeededGenerator(seed: Random.uint64()), at: now)
    epoll = try Epoll(capacity: 4)
    try epoll.add(mailbox.number, token: 0, .readable)
    let anyIPv4 = Endpoint(ipv4: (0, 0, 0, 0), port: 0)
    socketIPv4 = settings.multicast ? try? DatagramSocket.bound(to: anyIPv4) : nil
    socketIPv6 = settings.multicast ? try? DatagramSocket.bound(to: .any(port: 0)) : nil
    if let number = socketIPv4?.number { try epoll.add(number, token: 4, .readable) }
    if let number = socketIPv6?.number { try epoll.add(number, token: 6, .readable) }
  }

  func run() {
    handle(.timerFired)  // the first look is due at once
    while !isStopped {
      let milliseconds = search.deadline.map { due in
        Int32(clamping: max(0, ((due - now).wholeNanoseconds + 999_999) / 1_000_000))
      }
      var ready: [UInt64] = []
      do { try epoll.wait(milliseconds: milliseconds ?? -1) { token, _ in ready.append(token) } } catch {
        preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
      }
      now = clock.now(afterWaiting: milliseconds ?? -1)
      for command in mailbox.takeAll() {
        switch command {
        case .peers(let live, let wanted): handle(.peers(live: live, wanted: wanted))
        case .stop: isStopped = true
        }
      }
      if ready.contains(4) { receive(isIPv4: true) }
      if ready.contains(6) { receive(isIPv4: false) }
      if let due = search.deadline, now >= due { handle(.timerFired) }
      now = clock.now()
    }
  }

  private func handle(_ event: DiscoverySearch.Event) {
    search.handle(event, at: now)
    while let action = search.nextAction() { perform(action) }
  }

  private func perform(_ action: DiscoverySearch.Action) {
    switch action {
    case .look: look()
    case .ask: ask()
    case .found(let address, let peer):
      found += 1
      link.send(.hinted(address, peer))
    case .firstPhaseOver:
      link.send(
        .discoverySettled(
          DiscoverySummary(
            localNodes: localNodes, interfaces: settings.multicast ? asked.sorted() : nil, found: found)))
    }
  }

  private func look() {
    guard let folder = settings.localNodesFolder else { return }
    let nodes = LocalNodes.nodes(in: folder).filter { $0.peer != own }
    localNodes = nodes.count
    for node in nodes {
      for address in node.addresses {
        let address = PeerAddress(ip: address.ip, port: address.port, scope: address.scope)
        search.handle(.localNode(address, node.peer), at: now)
      }
    }
  }

  private func ask() {
    networks = .current
    var nonce: [UInt8] = []
    while nonce.count < Discovery.nonceBytes { nonce.append(bigEndian: Random.uint64()) }
    let query = search.nextQuery(nonce: nonce, at: now).encode()
    // A network that cannot be reached just now is asked again in the next round.
    for interface in networks.interfaces(isIPv4: true) {
      try? socketIPv4?.send(query, to: LocalNetworks.group(isIPv4: true), interface: interface.index)
      asked.insert(interface.name)
    }
    for interface in networks.interfaces(isIPv4: false) {
      try? socketIPv6?.send(query, to: LocalNetworks.group(isIPv4: false), interface: interface.index)
      asked.insert(interface.name)
    }
  }

  private func receive(isIPv4: Bool) {
    for _ in 0..<DiscoveryAskerLoop.datagramsPerTurn {
      let received =
        isIPv4
        ? try? socketIPv4?.receive(byteCountMax: Discovery.datagramBytes)
        : try? socketIPv6?.receive(byteCountMax: Discovery.datagramBytes)
      guard let (bytes, from) = received else { return }
      guard networks.hold(from) else { continue }
      handle(.datagram(bytes, from: from.ip, scope: from.scope))
    }
  }
}
