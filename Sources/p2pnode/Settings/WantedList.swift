// What one `get` fetches: the IDs on the command line and in an input file, with their outputs.
import CommandSettings
import Content
import PeerNode
import Posix
import Wire

/// One item to fetch.
struct WantedItem {
  let wanted: Wanted
  /// The output path on its line of the file. Nil: the place of `-o`.
  let path: String?
  /// The line in the file, for a message. Nil: the command line.
  let place: String?
}

enum WantedList {
  /// The most bytes of an input file: room for 200,000 IDs.
  static let fileBytesMax = 16 << 20

  /// Reads the IDs of the command line.
  static func ofCommandLine(_ texts: [String]) throws(Failure) -> [WantedItem] {
    var items: [WantedItem] = []
    for text in texts { items.append(WantedItem(wanted: try Wanted(typed: text), path: nil, place: nil)) }
    return items
  }

  /// Reads the IDs of an input file; "-" is standard input. Each line has an ID and, after a tab, its output path.
  /// Empty lines and lines that begin with "#" are skipped.
  static func ofFile(_ path: String) throws(Failure) -> [WantedItem] {
    let name = path == "-" ? "standard input" : path
    let items = try parse(try read(path, name), name)
    guard !items.isEmpty else { throw Failure(Exit.usage, "\(name): has no ID; write one a line") }
    return items
  }

  private static func read(_ path: String, _ name: String) throws(Failure) -> [UInt8] {
    let bytes: [UInt8]?
    do throws(Errno) {
      let file = path == "-" ? try File.standardInput() : try File(path, .read)
      bytes = try file.readToEnd(bytesMax: fileBytesMax)
    } catch {
      throw Failure(Exit.noInput, "cannot read \(error); name another file with --input-file")
    }
    guard let bytes else {
      throw Failure(Exit.usage, "\(name): is longer than \(fileBytesMax) bytes; split it into several files")
    }
    return bytes
  }

  /// - `name`: the file's name, for messages.
  static func parse(_ bytes: [UInt8], _ name: String) throws(Failure) -> [WantedItem] {
    var items: [WantedItem] = []
    for (i, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if let item = try parse(line: line, "\(name):\(i + 1)") { items.append(item) }
    }
    return items
  }

  private static func parse(line: ArraySlice<UInt8>, _ place: String) throws(Failure) -> WantedItem? {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
    guard let first = line.first(where: { !isBlank($0) }), first != UInt8(ascii: "#") else { return nil }
    let parts = line.split(separator: 0x09, maxSplits: 1, omittingEmptySubsequences: false)
    guard let id = String(validating: parts[0], as: UTF8.self),
      let path = String(validating: parts.dropFirst().first ?? [], as: UTF8.self), !path.utf8.contains(0)
    else { throw Failure(Exit.usage, "\(place): is not text; write an ID, or an ID, a tab and a path") }
    if parts.count > 1 && path.isEmpty {
      throw Failure(Exit.usage, "\(place): has no path after the tab; write one, or leave the tab out")
    }
    if path == "-" { throw Failure(Exit.usage, "\(place): several IDs cannot go to stdout; name a file") }
    do throws(Failure) {
      let wanted = try Wanted(typed: id.trimmingSpaces)
      return WantedItem(wanted: wanted, path: parts.count > 1 ? path : nil, place: place)
    } catch {
      if let space = id.utf8.firstIndex(of: 0x20), (try? Wanted(typed: String(id[..<space]))) != nil {
        throw Failure(Exit.usage, "\(place): has a space after the ID; put a tab between an ID and its path")
      }
      throw Failure(error.code, "\(place): \(error.message)")
    }
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    var rest = utf8.drop { $0 == 0x20 }
    while rest.last == 0x20 { rest.removeLast() }
    return String(Substring(rest))
  }
}
