// The answering side of discovery: a node with a listener announces itself to the processes of this machine, and
// answers nodes on its local networks that ask for a file which it has.
import Posix
import Transfer
import Wire

/// Makes a node findable until `stop`.
final class DiscoveryAnswerer: Sendable {
  private let mailbox: Mailbox<Void>
  private let thread: Thread
  private let file: LocalNodeFile?

  /// Starts to answer. Calls `complain` for each part of discovery that does not work, with the reason.
  ///
  /// - `listener`: the address on which the node accepts connections.
  /// - `keys`: returns the keys of the node's files in a bucket; called on the answering thread.
  init(
    _ settings: DiscoverySettings, peer: PeerID, listener: Endpoint,
    complain: (String) -> Void, keys: @escaping @Sendable (_ bucket: UInt16) -> [FileKey]
  ) throws(Errno) {
    var file: LocalNodeFile?
    if let folder = settings.localNodesFolder {
      do throws(LocalNodesError) {
        file = try LocalNodes.announce(
          LocalNode(peer: peer, addresses: LocalNodes.addresses(of: listener)), in: folder)
      } catch {
        complain("other processes of this machine will not find this node: \(error)")
      }
    }
    self.file = file
    mailbox = try Mailbox()
    // Safe: it is handed over before the thread starts, and from then on only that thread touches it.
    nonisolated(unsafe) let loop = try DiscoveryAnswererLoop(peer, listener, mailbox, keys)
    if settings.multicast, !listener.isLoopback, let errno = loop.open() {
      complain("a local network will not find this node: \(errno)")
    }
    thread = Thread.start(name: "p2p-answer") { loop.run() }
  }

  /// Ends the thread. Called once.
  func stop() {
    mailbox.send(())
    thread.join()
  }
}

private final class DiscoveryAnswererLoop {
  private static let datagramsPerTurn = 256
  /// The time between two checks of the interfaces, since networks come and go.
  private static let interfacesInterval = Duration.seconds(5)
  private static let mailboxToken: UInt64 = 0

  /// A socket that receives only datagrams for the multicast group of one address family through one interface.
  private final class Ear {
    let socket: DatagramSocket

    init(isIPv4: Bool, interface: UInt32) throws(Errno) {
      let group = LocalNetworks.group(isIPv4: isIPv4)
      socket = try DatagramSocket.bound(
        to: Endpoint(ip: group.ip, port: group.port, scope: isIPv4 ? 0 : interface))
      try socket.join(group, interface: interface)
    }
  }

  /// One address family: the sockets that receive questions, by interface, and the socket that answers. It is bound to
  /// the listener's address, so that answers come from the address that accepts connections.
  private final class Family {
    let isIPv4: Bool
    let answering: DatagramSocket
    var ears: [UInt32: Ear] = [:]

    init(isIPv4: Bool, answeringFrom own: Endpoint) throws(Errno) {
      self.isIPv4 = isIPv4
      answering = try DatagramSocket.bound(to: own)
    }

    func token(of interface: UInt32) -> UInt64 { UInt64(interface) << 1 | (isIPv4 ? 1 : 0) }
  }

  private let listener: Endpoint
  private let mailbox: Mailbox<Void>
  private let keys: @Sendable (UInt16) -> [FileKey]
  private var epoll: Epoll
  private var families: [Family] = []
  private var networks = LocalNetworks([])
  private var clock = LoopClock()
  private var now: Instant
  private var lookAt: Instant
  private var answers: DiscoveryAnswers

  init(
    _ peer: PeerID, _ listener: Endpoint, _ mailbox: Mailbox<Void>,
    _ keys: @escaping @Sendable (UInt16) -> [FileKey]
  ) throws(Errno) {
    self.listener = listener
    self.mailbox = mailbox
    self.keys = keys
    now = clock.now()
    lookAt = now
    answers = DiscoveryAnswers(peer: peer, port: listener.port, at: now)
    epoll = try Epoll(capacity: 64)
    try epoll.add(mailbox.number, token: DiscoveryAnswererLoop.mailboxToken, .readable)
  }

  /// Starts to listen on the networks of the listener's address families. Returns the error if one of them fails.
  func open() -> Errno? {
    var failure: Errno?
    func open(isIPv4: Bool, from own: Endpoint) {
      do throws(Errno) { families.append(try Family(isIPv4: isIPv4, answeringFrom: own)) } catch { failure = error }
    }
    if listener.isIPv4 || listener.isAny {
      let ip = listener.isAny ? Endpoint(ipv4: (0, 0, 0, 0), port: 0).ip : listener.ip
      open(isIPv4: true, from: Endpoint(ip: ip, port: 0))
    }
    if !listener.isIPv4 { open(isIPv4: false, from: Endpoint(ip: listener.ip, port: 0, scope: listener.scope)) }
    return lookForNetworks() ?? failure
  }

  func run() {
    while true {
      let due = families.isEmpty ? nil : lookAt
      let milliseconds = due.map { Int32(clamping: max(0, (($0 - now).wholeNanoseconds + 999_999) / 1_000_000)) } ?? -1
      var ready: Set<UInt64> = []
      do { try epoll.wait(milliseconds: milliseconds) { token, _ in ready.insert(token) } } catch {
        preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
      }
      now = clock.now(afterWaiting: milliseconds)
      if ready.contains(DiscoveryAnswererLoop.mailboxToken) { return }
      for family in families {
        for (interface, ear) in family.ears where ready.contains(family.token(of: interface)) { answer(ear, family) }
      }
      if let due, now >= due { _ = lookForNetworks() }
      now = clock.now()
    }
  }

  /// Listens on the networks that exist now. Returns the error if one of them fails.
  private func lookForNetworks() -> Errno? {
    lookAt = now + DiscoveryAnswererLoop.interfacesInterval
    networks = .current
    var failure: Errno?
    for family in families {
      let present = Set(networks.interfaces(isIPv4: family.isIPv4, listener: listener).map(\.index))
      family.ears = family.ears.filter { present.contains($0.key) }  // a closed socket leaves the epoll by itself
      for interface in present where family.ears[interface] == nil {
        do throws(Errno) {
          let ear = try Ear(isIPv4: family.isIPv4, interface: interface)
          try epoll.add(ear.socket.number, token: family.token(of: interface), .readable)
          family.ears[interface] = ear
        } catch {
          failure = error
        }
      }
    }
    return failure
  }

  private func answer(_ ear: Ear, _ family: Family) {
    for _ in 0..<DiscoveryAnswererLoop.datagramsPerTurn {
      guard let (bytes, from) = try? ear.socket.receive(byteCountMax: Discovery.datagramBytes) else { return }
      guard networks.hold(from), let answer = answers.answer(to: bytes, from: from.ip, at: now, keys: keys) else {
        continue
      }
      try? family.answering.send(answer, to: from)
    }
  }
}
