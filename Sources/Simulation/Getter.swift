// The machine that wants the file: a disk that outlives its processes, and the process that runs now.
import Content
import Transfer
import Wire

/// Where verified bytes go. What was written but not synced may be torn by a power cut.
final class VirtualDisk {
  private(set) var bytes: [UInt8]
  /// Written since the disk was last synced, in order.
  private var unsynced: [Range<Int>] = []
  var isFull = false
  /// Whether an earlier process left something.
  private(set) var isUsed = false

  init(length: Int) { bytes = Array(repeating: 0, count: length) }

  /// False: there is no room.
  func write(_ new: [UInt8], at offset: Int) -> Bool {
    guard !isFull else { return false }
    bytes.replaceSubrange(offset..<offset + new.count, with: new)
    unsynced.append(offset..<offset + new.count)
    return true
  }

  /// The process ends; what it wrote is there for the next one.
  func leave() { isUsed = true }

  /// The power goes: of what was not synced some is lost, and some is half there.
  func tear(_ generator: inout SeededGenerator) {
    for range in unsynced {
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: bytes.replaceSubrange(range, with: Array(repeating: 0, count: range.count))
      case 1: for place in range.lowerBound + range.count / 2..<range.upperBound { bytes[place] = 0 }
      default: break
      }
    }
    unsynced = []
    isUsed = true
  }

  /// Whether a chunk is on the disk, by its hash alone.
  func holds(_ chunk: ChunkIndex, hash: Digest, in layout: ChunkLayout) -> Bool {
    let start = Int(layout.offset(of: chunk))
    let copy = bytes
    let part = copy.span.bytes.extracting(start..<start + layout.length(of: chunk))
    return MerkleTree.chunkHash(MerkleTree.leafHashes(part, leafSize: layout.leafSize), in: layout) == hash
  }
}

/// How a download ended.
enum Ending {
  case finished(DownloadStats)
  case failed(DownloadFailure, DownloadStats)
}

/// Runs processes one after another until one comes to an end of its own.
final class Getter {
  let scenario: Scenario
  let world: World
  let file: SimulatedFile
  let peers: [ServingPeer]
  let disk: VirtualDisk
  private(set) var ending: Ending?
  private(set) var processCount = 0
  private var process: GetterProcess?

  init(_ scenario: Scenario, file: SimulatedFile, peers: [ServingPeer], world: World) {
    self.scenario = scenario
    self.world = world
    self.file = file
    self.peers = peers
    disk = VirtualDisk(length: Int(scenario.layout.fileLength))
  }

  func start() {
    startProcess()
    for strike in scenario.getter.strikes { world.at(.zero + strike) { [self] in suffer() } }
  }

  private func startProcess() {
    processCount += 1
    process = GetterProcess(self, number: processCount)
    process!.start()
  }

  private func suffer() {
    guard ending == nil, let process else { return }
    let faults = scenario.getter.faults
    world.note("getter suffers \(faults.map(\.rawValue))")
    if faults.contains(.fullDisk) { disk.isFull = true }
    if faults.contains(.cancelled) { process.cancel() }
    guard faults.contains(.killed) || faults.contains(.losesOwnPower), !scenario.settings.isStream else { return }
    let losesPower = faults.contains(.losesOwnPower)
    process.die(tells: !losesPower)
    self.process = nil
    if losesPower { disk.tear(&world.generator) } else { disk.leave() }
    world.after(world.generator.milliseconds(100...5000)) { [self] in startProcess() }
  }

  func ended(_ ending: Ending) {
    self.ending = ending
    if case .finished = ending, disk.bytes != file.bytes { world.violate("a finished file has wrong bytes") }
  }

  func forget() {
    process?.forget()
    process = nil
  }
}

extension DownloadSettings {
  var isStream: Bool {
    if case .inOrder = order { true } else { false }
  }
}
