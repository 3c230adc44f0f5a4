// The machine that downloads the file: a disk that outlives its processes, and the current process.
import Content
import Transfer
import Wire

/// How a download ended.
enum Ending {
  case finished(DownloadStats)
  case failed(DownloadFailure, DownloadStats)
}

/// Runs one process after another until one has a final result.
final class Getter {
  let scenario: Scenario
  let world: World
  let file: SimulatedFile
  let peers: [ServingPeer]
  let disk: VirtualDisk
  private var rules: DurabilityRules
  private(set) var ending: Ending?
  private(set) var processCount = 0
  private var returnCount = 0
  private var process: GetterProcess?

  init(_ scenario: Scenario, file: SimulatedFile, peers: [ServingPeer], world: World) {
    self.scenario = scenario
    self.world = world
    self.file = file
    self.peers = peers
    disk = VirtualDisk(reservesSpace: scenario.getter.reservesSpace)
    rules = DurabilityRules(
      file, wanted: scenario.settings.wanted, hasJournal: scenario.getter.journal.fileBytesWithoutJournalMax == 0)
  }

  func start() {
    startProcess()
    for strike in scenario.getter.strikes { world.at(.zero + strike.at) { [self] in suffer(strike.fault) } }
  }

  /// Updates the durability rules, and reports a broken one.
  func hold(_ change: (inout DurabilityRules) -> Void) {
    change(&rules)
    if let broken = rules.broken { world.violate(broken) }
  }

  private func startProcess() {
    processCount += 1
    process = GetterProcess(self, number: processCount)
    process!.start()
  }

  private func suffer(_ fault: Fault) {
    guard ending == nil, let process else { return }
    world.note("getter suffers \(fault.rawValue)")
    switch fault {
    case .fullDisk: disk.roomBytes = Int.random(in: 0...4 * file.layout.leafSize, using: &world.generator)
    case .failsToWrite: disk.failsToWrite = true
    case .failsToSync: disk.failsToSync = true
    case .cancelled: process.cancel()
    case _ where scenario.settings.isStream: break  // the stream would start again elsewhere
    case .killed: kill(process, tells: true)
    case .losesOwnPower:
      kill(process, tells: false)
      disk.losePower(&world.generator)
    case .rots:
      kill(process, tells: true)
      rot()
    default: break
    }
  }

  private func kill(_ process: GetterProcess, tells: Bool) {
    process.die(tells: tells)
    startLater()
  }

  private func startLater() {
    process = nil
    world.after(world.generator.milliseconds(100...5000)) { [self] in startProcess() }
  }

  private func rot() {
    guard let part = disk[.part] else { return }
    for _ in 0..<Int.random(in: 1...16, using: &world.generator) {
      let place = Int.random(in: part.bytes.indices, using: &world.generator)
      part.rot(place)
      hold { $0.rots(place) }
    }
  }

  /// A process has ended by itself.
  func ended(_ ending: Ending) {
    world.note("process \(processCount) ends: \(Simulation.name(ending))")
    process?.forget()
    if canReturn(after: ending) {
      returnCount += 1
      disk.mend()
      return startLater()
    }
    process = nil
    self.ending = ending
    if case .finished = ending, !scenario.settings.isStream { hold { $0.finished(disk) } }
  }

  private func canReturn(after ending: Ending) -> Bool {
    guard returnCount < scenario.getter.returnsMax, !scenario.settings.isStream else { return false }
    return switch ending {
    case .failed(.storage, _), .failed(.cancelled, _): true
    default: false
    }
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
