// Reads the names below a folder at one moment, in the order of a listing.
import Content
import Posix

/// A name below a folder when the scan read it.
struct ScannedName: Hashable, Sendable {
  /// The path from the folder on. Its bytes may be other than UTF-8.
  let path: FolderPath
  let status: FileStatus
  /// The target of a symbolic link; empty for other kinds.
  let target: [UInt8]
  /// Whether the scan does not enter it: a folder of another file system, or a name that is not UTF-8.
  let isOpaque: Bool

  /// Whether a component of the path begins with a dot.
  var isHidden: Bool {
    var isFirst = true
    for byte in path.utf8 {
      if isFirst, byte == UInt8(ascii: ".") { return true }
      isFirst = byte == UInt8(ascii: "/")
    }
    return false
  }

  /// Whether a listing could have this path with this kind of file.
  var isNameable: Bool {
    guard !isOpaque, String(validating: path.utf8, as: UTF8.self) != nil else { return false }
    let item: FolderEntry.Item
    switch status.kind {
    case .regular where status.size <= FolderListing.contentsLengthMax: item = .emptyFolder
    case .directory: item = .emptyFolder
    case .symbolicLink: item = .symbolicLink(target: FolderPath(utf8: target))
    case .regular, .other: return false
    }
    return (try? FolderListing([FolderEntry(path, item)])) != nil
  }
}

/// A scan of a folder. It follows no link, so it never leaves the folder.
struct OutputScan: Sendable {
  /// All names except those of part files, in the order of a listing: a folder comes directly before its contents.
  private(set) var names = ScannedNames()

  /// Makes a scan without names.
  init() {}

  /// Reads the whole folder. Nil soon after `shouldStop` returns true.
  init?(_ folder: OpenFolder, shouldStop: () -> Bool) throws(Errno) {
    let device = try folder.directory.status().identity.device
    // The folders that are partly read, with their remaining names, the next one last.
    var levels: [Level] = [Level(folder: folder, prefix: [], names: try OutputScan.sortedNames(folder))]
    while !levels.isEmpty {
      if shouldStop() { return nil }
      guard let name = levels[levels.count - 1].names.popLast() else {
        levels.removeLast()
        continue
      }
      let level = levels[levels.count - 1]
      do throws(Errno) {
        if let below = try take(name, in: level, device: device) { levels.append(below) }
      } catch {
        // The name is gone or is no longer a folder since it was read. The scan leaves it out.
        guard [Errno.noEntry, Errno.symbolicLink, Errno.notFolder, Errno.invalid].contains(error.code) else {
          throw error
        }
      }
    }
  }

  private struct Level {
    let folder: OpenFolder
    let prefix: [UInt8]
    var names: [[UInt8]]
  }

  private static func sortedNames(_ folder: OpenFolder) throws(Errno) -> [[UInt8]] {
    let names = try folder.directory.entries().map(\.name).filter { !isPart($0) }
    return names.sorted { $1.lexicographicallyPrecedes($0) }
  }

  /// Whether this is the name of an unfinished output or its journal.
  static func isPart(_ name: [UInt8]) -> Bool {
    guard name.first == UInt8(ascii: ".") else { return false }
    return [".p2p-part", ".p2p-journal"].contains { name.suffix($0.utf8.count).elementsEqual($0.utf8) }
  }

  /// Adds a name. Returns the level to read next, if the name is a folder.
  private mutating func take(_ name: [UInt8], in level: Level, device: UInt64) throws(Errno) -> Level? {
    let path = level.prefix + name
    guard let text = String(validating: name, as: UTF8.self) else {
      // No listing can have this name, and the update removes nothing because of it.
      let status = try level.folder.directory.status()
      names.append(ScannedName(path: FolderPath(utf8: path), status: status, target: [], isOpaque: true))
      return nil
    }
    let status = try level.folder.directory.status(of: text)
    let target = status.kind == .symbolicLink ? try level.folder.directory.target(ofLink: text) : []
    let isMounted = status.kind == .directory && status.identity.device != device
    let found = ScannedName(path: FolderPath(utf8: path), status: status, target: target, isOpaque: isMounted)
    guard status.kind == .directory, !isMounted else {
      names.append(found)
      return nil
    }
    let below = try level.folder.openFolder(text)
    names.append(found)
    return Level(folder: below, prefix: path + [UInt8(ascii: "/")], names: try OutputScan.sortedNames(below))
  }

  // MARK: Lookup

  /// Returns the index of the name with a path. Nil if the scan has no such name.
  func place(of path: FolderPath) -> Int? {
    let place = firstPlace { !names.isName(at: $0, before: path) }
    return place < names.count && names.hasName(at: place, path) ? place : nil
  }

  /// Returns the first component of a path that the scan did not see in a folder that it saw. Nil if it saw the whole
  /// path, or something on the way that is not a folder.
  func firstUnseen(on path: FolderPath) -> FolderPath? {
    guard place(of: path) == nil else { return nil }
    guard let parent = path.parent else { return path }
    guard let place = place(of: parent) else { return firstUnseen(on: parent) }
    return names[place].status.kind == .directory ? path : nil
  }

  /// Returns the indices of the names below the folder at a place.
  func places(below place: Int) -> Range<Int> {
    let folder = names[place].path
    let end = firstPlace { !(names[$0].path <= folder || names[$0].path.isBelow(folder)) }
    return place + 1..<max(place + 1, end)
  }

  private func firstPlace(where isAfter: (Int) -> Bool) -> Int {
    var (low, high) = (0, names.count)
    while low < high {
      let middle = low + (high - low) / 2
      if isAfter(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
