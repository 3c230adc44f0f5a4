// The getter's folder on a disk that outlives processes and power cuts: its names and files, and how the disk fails.
import Transfer

/// The getter's folder. A changed name reaches the disk when the folder is synced. Until then a power cut may undo it.
final class VirtualDisk {
  enum Name: Hashable, CaseIterable { case part, journal, output }

  private enum Change {
    case created(Name, VirtualFile)
    case removed(Name)
    case renamed(VirtualFile)
  }

  private(set) var names: [Name: VirtualFile] = [:]
  private var syncedNames: [Name: VirtualFile] = [:]
  /// Changes since the last sync of the folder, in order.
  private var changes: [Change] = []

  /// The free space in bytes. Nil: enough. Writes within a part file whose space is reserved need no free space.
  var roomBytes: Int?
  let reservesSpace: Bool
  /// Whether the next write, or the next sync, fails.
  var failsToWrite = false
  var failsToSync = false

  init(reservesSpace: Bool) { self.reservesSpace = reservesSpace }

  // MARK: Names

  subscript(name: Name) -> VirtualFile? { names[name] }

  /// Opens the file with a name. If there is none, makes one with `byteCount` zeros.
  func open(_ name: Name, byteCount: Int) -> (file: VirtualFile, isNew: Bool) {
    if let file = names[name] { return (file, false) }
    let file = VirtualFile(byteCount: byteCount)
    change(.created(name, file))
    return (file, true)
  }

  /// Renames the part file to the output.
  func place() { if let file = names[.part] { change(.renamed(file)) } }

  func remove(_ name: Name) { if names[name] != nil { change(.removed(name)) } }

  func syncNames() {
    syncedNames = names
    changes = []
  }

  /// Whether a name survives a power cut unchanged.
  func isSynced(_ name: Name) -> Bool { syncedNames[name] === names[name] }

  private func change(_ change: Change) {
    changes.append(change)
    names = VirtualDisk.applying(change, to: names)
  }

  private static func applying(_ change: Change, to names: [Name: VirtualFile]) -> [Name: VirtualFile] {
    var names = names
    switch change {
    case .created(let name, let file): names[name] = file
    case .removed(let name): names[name] = nil
    case .renamed(let file):
      if names[.part] === file { names[.part] = nil }
      names[.output] = file
    }
    return names
  }

  // MARK: Writing

  enum Failure: Error { case full, failed }

  /// Writes all bytes, or as many as there is room for.
  func write(_ new: [UInt8], to file: VirtualFile, at offset: Int) throws(Failure) {
    if failsToWrite {
      failsToWrite = false
      throw .failed
    }
    let isReserved = reservesSpace && offset + new.count <= file.bytes.count
    guard let room = roomBytes, !isReserved else { return file.write(new, at: offset) }
    let count = min(room, new.count)
    file.write(Array(new[..<count]), at: offset)
    roomBytes = room - count
    if count < new.count { throw .full }
  }

  /// Ends a sync that began with `begin`.
  func sync(_ file: VirtualFile, _ begin: VirtualFile.Sync, _ generator: inout SeededGenerator) throws(Failure) {
    if failsToSync {
      failsToSync = false
      file.failSync(begin, &generator)
      throw .failed
    }
    file.endSync(begin)
  }

  /// Gives the disk free space again and clears its failures.
  func mend() {
    roomBytes = nil
    failsToWrite = false
    failsToSync = false
  }

  // MARK: Power

  /// Cuts the power. Any change that was not synced may be lost, and any part of what was written.
  func losePower(_ generator: inout SeededGenerator) {
    let survival = generator.pick([0, 0.5, 1])
    names = changes.reduce(syncedNames) { names, change in
      generator.chance(survival) ? VirtualDisk.applying(change, to: names) : names
    }
    syncNames()
    for name in Name.allCases { names[name]?.losePower(&generator) }
  }
}

extension JournalAction {
  /// The name of the action, with the number of bytes instead of the bytes.
  var name: String { if case .append(let bytes) = self { "append \(bytes.count) bytes" } else { "\(self)" } }
}
