// Prints the listing of a folder for `ls`: one line or one JSON object for each entry.
import Content
import Posix

/// The sums over a listing.
struct ListingTotals {
  var files = 0
  var links = 0
  var folders = 0
  var bytes: UInt64 = 0

  init(_ listing: FolderListing) {
    bytes = listing.contentsLength
    for i in 0..<listing.count {
      if listing.isFile(i) {
        files += 1
      } else if listing.isEmptyFolder(i) {
        folders += 1
      } else {
        links += 1
      }
    }
  }

  /// The totals for people.
  var words: String {
    var words = [Format.count(files, "file")]
    if links > 0 { words.append(Format.count(links, "link")) }
    if folders > 0 { words.append(Format.count(folders, "empty folder")) }
    return (words + ["\(bytes) bytes"]).joined(separator: ", ")
  }
}

struct ListingLines {
  private let listing: FolderListing
  private let isLong: Bool
  private let isNull: Bool
  /// The width of the longest length.
  private let sizeWidth: Int

  /// The number of hexadecimal digits in an ID.
  private static let idWidth = 64
  /// The bytes to write at once.
  private static let blockBytes = 1 << 16

  /// - `isLong`: whether to print the ID of each file.
  /// - `isNull`: whether a NUL ends each entry. Then nothing is escaped, except on a terminal.
  init(_ listing: FolderListing, isLong: Bool, isNull: Bool) {
    (self.listing, self.isLong, self.isNull) = (listing, isLong, isNull)
    sizeWidth = (0..<listing.count).reduce(1) { width, i in
      listing.isFile(i) ? max(width, String(listing.fileLength(of: i)).utf8.count) : width
    }
  }

  /// Prints the entries on stdout and the totals on stderr.
  func print() {
    var block = ""
    for i in 0..<listing.count {
      block += line(listing[i]) + (isNull ? "\0" : "\n")
      if block.utf8.count >= ListingLines.blockBytes {
        Console.output(text: block)
        block = ""
      }
    }
    Console.output(text: block)
    Console.error(ListingTotals(listing).words)
  }

  /// Returns the line of an entry, without its end.
  func line(_ entry: FolderEntry) -> String {
    let path = shown("\(entry.path)")
    switch entry.item {
    case .file(let content, let isExecutable):
      return head(content.fileID, "\(content.length)") + (isExecutable ? "* " : "  ") + path
    case .symbolicLink(let target): return head(nil, "-") + "  \(path) -> \(shown("\(target)"))"
    case .emptyFolder: return head(nil, "-") + "  \(path)/"
    }
  }

  private func head(_ fileID: FileID?, _ size: String) -> String {
    let padding = String(repeating: " ", count: sizeWidth - size.utf8.count)
    guard isLong else { return padding + size }
    let id = fileID?.hex ?? "-" + String(repeating: " ", count: ListingLines.idWidth - 1)
    return "\(id)  \(padding)\(size)"
  }

  private func shown(_ text: String) -> String {
    isNull && !Terminal.isTerminal(.standardOutput) ? text : Console.escaped(text)
  }

  /// Prints the line of a file, if the ID is that of a file, and a sentence about it on stderr.
  static func printFile(_ name: String, _ length: UInt64, _ fileID: FileID, _ ls: Ls) {
    guard !ls.json else {
      var line = JSONLine(event: "file")
      line.set("fileID", fileID.hex)
      line.set("bytes", length)
      line.set("path", name)
      return Console.output(line.finished)
    }
    let id = ls.long ? fileID.hex + "  " : ""
    let end = ls.null ? "\0" : "\n"
    Console.output(text: "\(id)\(length)  \(Console.escaped(name))\(end)")
    Console.error("this is the ID of a file, not of a folder; fetch it with 'p2pnode get \(fileID.hex)'")
  }
}

enum ListingJSON {
  /// Prints an object for each entry, and one with the totals.
  static func print(_ listing: FolderListing, _ folderID: FileID) {
    for i in 0..<listing.count { Console.output(line(listing[i]).finished) }
    let totals = ListingTotals(listing)
    var line = JSONLine(event: "listed")
    line.set("id", folderID.hex)
    line.set("files", totals.files)
    line.set("links", totals.links)
    line.set("emptyFolders", totals.folders)
    line.set("bytes", totals.bytes)
    Console.output(line.finished)
  }

  static func line(_ entry: FolderEntry) -> JSONLine {
    var line = JSONLine(event: "entry")
    line.set("path", "\(entry.path)")
    switch entry.item {
    case .file(let content, let isExecutable):
      line.set("type", "file")
      line.set("bytes", content.length)
      line.set("executable", isExecutable)
      line.set("id", content.fileID.hex)
    case .symbolicLink(let target):
      line.set("type", "link")
      line.set("target", "\(target)")
    case .emptyFolder: line.set("type", "emptyFolder")
    }
    return line
  }
}
