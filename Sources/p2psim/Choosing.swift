// `p2psim choose`: measures the cost of the engine's decisions in a large download, in microseconds on this machine.
import ArgumentParser
import Content
import Transfer
import Wire

struct Choosing: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "choose",
    abstract: "Measures what it costs to choose a chunk and take its answer in, with many chunks and peers.",
    discussion:
      "Every answer comes at once and is right. Half of the peers have all of the file, half every second chunk.")

  @Option(help: "Chunks of the file, up to 1,048,576.")
  var chunks: UInt64 = 1_000_000

  @Option(help: "Peers.")
  var peers: UInt64 = 1000

  @Option(help: "Chunks to fetch.")
  var count = 100_000

  mutating func validate() throws {
    guard (1...1_048_576).contains(chunks) else { throw ValidationError("--chunks is 1 to 1,048,576") }
    guard (1...10_000).contains(peers) else { throw ValidationError("--peers is 1 to 10,000") }
    guard count >= 1 else { throw ValidationError("--count is at least 1") }
  }

  func run() throws {
    var settings = DownloadSettings()
    settings.connectionsMax = Int(peers)
    settings.dialsMax = Int(peers)
    var now = Instant.zero
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: now)
    let layout = ChunkLayout(fileLength: chunks << 20)!
    var waiting: [DownloadAction] = []
    func tell(_ event: DownloadEvent) {
      state.handle(event, at: now)
      while let action = state.nextAction() { if case .request = action { waiting.append(action) } }
    }
    for number in 1...peers {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      tell(.addressAdded(PeerAddress(ip: bytes + bytes, port: UInt16(number)), pinned: nil))
    }
    tell(.discoveryFinished)
    for number in 1...peers {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      let id = ConnectionID(number)
      tell(.connected(id, PeerID(digest: Digest(bytes + bytes + bytes + bytes)!)))
      tell(.opened(id, layout, isComplete: number % 2 == 0))
    }
    tell(.storageReady(Resumable()))
    for page in 0..<(chunks + 1023) / 1024 { tell(.pageVerified(PageIndex(UInt32(page)), from: nil)) }
    let clock = ContinuousClock()
    let told = clock.now
    var bitmaps = 0
    for number in stride(from: 1, through: peers, by: 2) {
      for first in stride(from: 0, to: chunks, by: ProtocolLimits.bitmapChunksMax) {
        let stretch = min(UInt64(ProtocolLimits.bitmapChunksMax), chunks - first)
        var bits = [UInt8](repeating: 0xAA, count: Int(stretch + 7) / 8)
        if stretch % 8 != 0 { bits[bits.count - 1] &= 0xFF << UInt8(8 - stretch % 8) }
        tell(
          .bitmap(
            ConnectionID(number),
            Bitmap(handle: FileHandle(1), firstChunk: ChunkIndex(UInt32(first)), count: Int(stretch), bits: bits)))
        bitmaps += 1
      }
    }
    print("\(Int((clock.now - told) / .microseconds(1)) / max(bitmaps, 1)) µs a BITMAP, of \(bitmaps)")
    let began = clock.now
    var fetched = 0
    var next = 0
    while fetched < count, next < waiting.count {
      guard case .request(let id, let request, let chunk, let leaves, _) = waiting[next] else { break }
      next += 1
      now = now + .microseconds(100)
      tell(.answerEnded(id, request))
      tell(.leavesVerified(id, request, chunk, leaves))
      fetched += 1
    }
    let microseconds = Int((clock.now - began) / .microseconds(1))
    print(
      "\(fetched) of \(chunks) chunks from \(peers) peers: \(microseconds / max(fetched, 1)) µs a chunk, all its events"
    )
  }
}
