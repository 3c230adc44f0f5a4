// A run of a download as the input describes it: the file, the settings, the strangers and their actions.
import Content

@testable import Transfer
@testable import Wire

/// How a stranger arrives, what it claims, and how it answers. It repeats its answers without end.
struct Stranger {
  enum Entry: Int, CaseIterable { case dialsIn, named, hinted, toldOf }
  enum Opening: Int, CaseIterable { case complete, partial, notFound, refuses, silent, closes, lies, withdraws }
  enum Claim: Int, CaseIterable { case everything, lastChunk, firstChunk, nothing, nonsense }
  enum Answer: Int, CaseIterable {
    case honest, closes, silent, busy, lies, withdraws, stopsMidway, closesMidway, begins, dribbles, late
  }

  let entry: Entry
  /// Whether each connection has a new PeerID.
  let changesIdentity: Bool
  /// Whether it has the same address as other strangers.
  let sharesAddress: Bool
  let joinsAt: Duration
  /// How long it stays away after a loss. Nil: it does not come back.
  let returnsAfter: Duration?
  let opening: Opening
  let claim: Claim
  let pages: [Answer]
  let requests: [Answer]
  let latency: Duration
  let loss: LossReason

  init(_ input: inout Input) {
    let kind = input.u8()
    entry = Entry.allCases[Int(kind & 3)]
    changesIdentity = kind & 4 != 0
    sharesAddress = kind & 8 != 0
    joinsAt = .milliseconds(Int64(input.u8()) * 20)
    let delay = input.u8()
    returnsAfter = delay == 0 ? nil : .milliseconds(Int64(delay) * 10)
    opening = Opening.allCases[input.number(below: Opening.allCases.count)]
    claim = Claim.allCases[input.number(below: Claim.allCases.count)]
    pages = [Stranger.answer(&input), Stranger.answer(&input)]
    requests = [Stranger.answer(&input), Stranger.answer(&input), Stranger.answer(&input)]
    let last = input.u8()
    latency = [.milliseconds(1), .milliseconds(200), .seconds(3), .seconds(20)][Int(last & 3)]
    loss =
      [.closed, .reset, .truncated, .stalled, .idle, .violation, .goodbye(last >> 5), .goodbye(8)][Int(last >> 2 & 7)]
  }

  private static func answer(_ input: inout Input) -> Answer {
    Answer.allCases[input.number(below: Answer.allCases.count)]
  }
}

struct DownloadPlan {
  /// Makes the contents of a folder: small files that share chunks, and two larger files with pages.
  private static func folder(_ count: Int, _ short: Int, chunksPerPage: Int) -> ChunkLayout {
    let lengths = (0..<2 * count).map { ($0 * 5 + short) % 17 } + [40, 16 * count + 1]
    let entries = lengths.enumerated().map { number, length in
      let root = length == 0 ? Digest.zero : Digest(sha256: [UInt8(number)].span.bytes)
      let content = FileContent(length: UInt64(length), root: root)
      return FolderEntry(FolderPath("\(100 + number)"), .file(content, isExecutable: false))
    }
    do throws(FolderListingFault) {
      return ChunkLayout(
        try FolderLayout(
          FolderListing(entries), root: .zero, chunkSize: 16, leafSize: 4, chunksPerPage: chunksPerPage))
    } catch {
      fatalError("the folder of a plan breaks no rule: \(error)")
    }
  }

  /// The number of connections that strangers make in total, so that a run ends.
  let visitsMax: Int
  let layout: ChunkLayout
  let chunksPerPage: Int
  let settings: DownloadSettings
  /// The time before each answer of the honest peer.
  let latency: Duration
  /// When the network cuts the honest peer off. It can be dialled again at once.
  let cuts: [Duration]
  /// When the downloader is killed and restarted. Nil: never.
  let killedAt: Duration?
  let strangers: [Stranger]
  let seed: UInt64

  init(_ bytes: [UInt8], visitsMax: Int) {
    self.visitsMax = visitsMax
    var input = Input(bytes)
    let strangerCount = input.number(below: 10)
    let file = input.u8()
    let chunkCount = [1, 2, 5, 12, 24][Int(file & 7) % 5]
    let flags = input.u8()
    var settings = DownloadSettings()
    settings.chunksPerPage = flags & 1 == 0 ? 2 : 32
    settings.shares = flags & 2 != 0
    settings.hedges = flags & 4 == 0
    settings.hears = flags & 8 == 0
    if flags & 16 != 0 { settings.order = .inOrder(windowChunks: 2) }
    settings.connectionsMax = flags & 32 == 0 ? 50 : 6
    settings.dialsMax = flags & 64 == 0 ? 16 : 2
    settings.requestsInFlightMax = flags & 128 == 0 ? 16 : 2
    let more = input.u8()
    settings.maxWorkers = [8, 1, 2, 5][Int(more & 3)]
    latency = [.milliseconds(2), .milliseconds(100), .seconds(1), .seconds(8)][Int(more >> 2 & 3)]
    let times = (0..<2).map { _ in Duration.milliseconds(Int64(input.u8()) * 30) }
    cuts = Array(times.prefix(Int(more >> 4 & 3)))
    killedAt = more & 0xC0 == 0xC0 ? .milliseconds(Int64(input.u8()) * 30) : nil
    chunksPerPage = settings.chunksPerPage
    let short = Int(file >> 3 & 15)
    layout =
      file & 128 == 0
      ? ChunkLayout(fileLength: UInt64(chunkCount * 16 - short), chunkSize: 16, leafSize: 4)!
      : DownloadPlan.folder(chunkCount, short, chunksPerPage: settings.chunksPerPage)
    seed = UInt64(input.u8())
    if seed & 128 != 0, let name = ZoneName("zone") {
      settings.zone = ZoneMembership(name: name, member: PeerID(digest: Digest(sha256: [0].span.bytes)))
    }
    self.settings = settings
    strangers = (0..<strangerCount).map { _ in Stranger(&input) }
  }
}
