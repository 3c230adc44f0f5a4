// One node of a crowd: its link, its connections and, unless it is the seed, its download.
import Content
import Transfer
import Wire

/// Performs what DownloadState decides, without a delay.
final class CrowdNode: SimulatedNode {
  let number: Int
  unowned let crowd: Crowd
  let id: PeerID
  let address: PeerAddress
  /// Nil for the seed, and for a node that has left.
  var download: DownloadState?
  var isDownloading: Bool
  let isSeed: Bool
  var hasFinished = false
  var isPageKnown: Bool
  /// The file's bytes, as far as this node has them.
  var bytes: [UInt8]

  var dialledCount = 0
  var connectionsHigh = 0

  // The times at which the link is free again.
  private var uploadFreeAt = Instant.zero
  private var downloadFreeAt = Instant.zero
  private(set) var bytesUploaded = 0

  var timer: Instant?
  var events: [DownloadEvent] = []
  var isHandling = false
  /// The number of requests in flight for each chunk, counted here.
  var askers: [UInt8]

  init(_ number: Int, of crowd: Crowd, isSeed: Bool) {
    self.number = number
    self.isSeed = isSeed
    isDownloading = !isSeed
    self.crowd = crowd
    let file = crowd.file
    var name = SeededGenerator(seed: UInt64(number) &+ 1)
    var words: [UInt8] = []
    for _ in 0..<4 {
      let word = name.next()
      for i in 0..<8 { words.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * i))) }
    }
    id = PeerID(digest: Digest(words)!)
    address = CrowdNode.address(number)
    bytes = isSeed ? file.bytes : Array(repeating: 0, count: file.bytes.count)
    askers = Array(repeating: 0, count: file.layout.chunkCount)
    isPageKnown = isSeed
    super.init(
      "\(number)", id, world: crowd.world, file: file, isComplete: isSeed,
      inboundMax: isSeed ? crowd.plan.seedConnectionsMax : crowd.plan.inboundConnectionsMax,
      generator: &crowd.world.generator)
    if isSeed { return }
    download = DownloadState(
      settings: crowd.plan.settings(of: number, id), generator: SeededGenerator(seed: world.generator.next()),
      at: world.time)
  }

  static func address(_ number: Int) -> PeerAddress {
    let host = [UInt8(10), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    return PeerAddress(ip: Array(repeating: 0, count: 10) + [255, 255] + host, port: 9800)
  }

  /// Returns the number of the node with this address.
  static func number(at address: PeerAddress) -> Int {
    address.ip.suffix(3).reduce(0) { $0 << 8 | Int($1) }
  }

  func start(knowing seed: CrowdNode) {
    tell(.addressAdded(seed.address, pinned: seed.id))
    tell(.discoveryFinished)
    introduceAll()
  }

  /// Leaves without a GOODBYE. The kernel resets the connections.
  func leave() {
    isUp = false
    isDownloading = false
    download = nil
    for end in ends { drop(end, telling: .reset) }
  }

  // MARK: The link

  /// Bytes that a socket takes before it is full. The next piece waits until some of them have arrived.
  private static let bytesUnderWayMax = 128 << 10

  override func hasRoom(for end: NodeEnd) -> Bool { end.departures.pieceByteCount < CrowdNode.bytesUnderWayMax }
  override var sendsNextAt: Instant { uploadFreeAt }
  override var knowsUpload: Bool { crowd.plan.limitsUpload }
  override var isUploadFull: Bool { knowsUpload && uploadFreeAt > world.time }

  override func send(_ message: Message, _ payload: [UInt8] = [], on end: NodeEnd) {
    guard let other = end.other, let receiver = other.node as? CrowdNode else { return }
    world.note("\(number) to \(receiver.number): \(message)")
    let packet = Packet(message, payload)
    let cost = packet.frame.count + payload.count * crowd.plan.linkBytesPerByte
    let plan = crowd.plan
    let begin = max(uploadFreeAt, world.time)
    uploadFreeAt = begin + .nanoseconds(Int64(Double(cost) / plan.upload * 1e9))
    // Pieces wait while the receiver's link is busy. Short messages do not.
    receiver.downloadFreeAt =
      max(receiver.downloadFreeAt, begin + plan.delay) + .nanoseconds(Int64(Double(cost) / plan.download * 1e9))
    var arrival = uploadFreeAt + plan.delay
    if !payload.isEmpty {
      if let crossed = crowd.cross(cost, payload.count, from: number, to: receiver.number, at: begin + plan.delay) {
        arrival = max(arrival, crossed + plan.delay)
      }
      arrival = max(arrival, receiver.downloadFreeAt)
      end.departures.pieceByteCount += cost
      bytesUploaded += payload.count
    }
    world.at(end.departures.due(arrival)) { [self] in
      if !payload.isEmpty {
        end.departures.pieceByteCount -= cost
        queue(end)
      }
      receiver.receive(packet, on: other)
    }
  }

  override func begins(_ piece: UploadPiece, on end: NodeEnd) -> Bool {
    if isSeed { crowd.spread(piece) }
    return true
  }

  // MARK: What the node has

  override var openAnswer: OpenAnswer {
    guard isPageKnown else { return .notYet }
    return .file(
      ServedFile(
        key: file.served.key, pages: file.pages, root: file.root, name: "file",
        parts: held.isComplete ? nil : held.offer))
  }

  override func bytes(of leaves: LeafRange, in chunk: ChunkIndex) -> [UInt8] {
    let start = Int(file.layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(bytes[start..<start + file.layout.length(of: leaves, in: chunk)])
  }

  /// Stores verified leaves.
  private func keep(_ piece: FetchedPiece, _ payload: [UInt8]) {
    for kept in piece.neededParts {
      let start = Int(kept.fileOffset)
      bytes.replaceSubrange(start..<start + kept.bytes.count, with: payload[kept.bytes])
    }
    // Use the file's own array for the received hashes: then they take no memory for each node.
    let leafHashes = piece.chunkLeafHashes == nil ? nil : file.leafHashes[Int(piece.chunk.rawValue)]
    held.add(piece.needed, of: piece.chunk, leafHashes: leafHashes)
    announceLater()
  }

  /// Introduces peers to each other, as often as the real node's loop does.
  func introduceAll() {
    guard isUp else { return }
    introduce()
    world.after(.milliseconds(500)) { [self] in introduceAll() }
  }

  // MARK: Sessions

  override func receive(_ packet: Packet, on end: NodeEnd) {
    guard isUp, end.isOpen else { return }
    do throws(WireError) {
      guard let message = try end.arrivals.read(packet) else { return world.violate("a frame is cut short") }
      end.timers.received(packet.byteCount, at: world.time)
      world.mix(UInt64(number) << 32 | UInt64(message.type.rawValue))
      end.driver.receive(message, at: world.time)
      perform(on: end)
      judge(end)
      guard case .data(let header) = message, end.isOpen else { return }
      if header.isLast { answered(header.id, on: end) }
      end.driver.payloadEnded()
      perform(on: end)
    } catch {
      world.violate("a frame is none: \(error)")
    }
  }

  override func opened(_ end: NodeEnd) {
    if end.isTurnedAway { return hangUp(end, .tooManyConnections) }
    // The peer opened the file, so it may already have leaves that this node wants.
    guard end.isOpen, withDownload({ $0.isEnded }) == false, !end.isFetching else { return }
    end.isFetching = true
    tell(connected(end))
  }

  override func hear(_ news: PeerNews, on end: NodeEnd) {
    if case .busy(let request, _) = news { answered(request, on: end) }
    tell(DownloadEvent(news, from: end.id))
    if case .page = news { learnedPage() }
  }

  override func verify(_ piece: FetchedPiece, on end: NodeEnd) {
    let payload = end.arrivals.payload.take() ?? []
    guard piece.isMatched(by: payload.span.bytes) else {
      return world.violate("honest \(end.peer.node.name) is taken for a liar")
    }
    keep(piece, payload)
    tell(.leavesVerified(end.id, piece.request, piece.chunk, piece.leaves, needed: piece.needed))
  }

  override func ended(_ end: NodeEnd, _ reason: SessionEnd) {
    if case .remote(let code, _) = reason { return lost(end, .goodbye(code.rawValue)) }
    world.violate("\(end.peer.node.name) is honest, but \(name) says \(reason)")
  }

  /// Sends GOODBYE and forgets the connection.
  override func hangUp(_ end: NodeEnd, _ code: CloseCode) {
    guard end.isOpen else { return }
    send(.goodbye(Goodbye(code: code, text: "")), on: end)
    drop(end, telling: nil)
    reportLoss(of: end, .closed)
  }

  override func lost(_ end: NodeEnd, _ reason: LossReason) {
    guard end.isOpen else { return }
    drop(end, telling: nil)
    reportLoss(of: end, reason)
  }
}
