// `p2pnode ls`: prints the entries of a folder's ID without fetching the files.
import ArgumentParser
import Content

struct Ls: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "Lists the files of a folder without fetching them.",
    discussion: """
      Fetches and verifies only the listing of the folder. Prints a line for each entry. For a file: its size in \
      bytes, a * if it is executable, and its path. For a link: its path, '->' and its target. For an empty folder: \
      its path and a /. Control characters are escaped. If the ID is that of a file, 'ls' prints the file's size and \
      name.

        ID=\(ExampleID.folder)
        p2pnode ls $ID
      """)

  @Argument(help: ArgumentHelp("The ID of a folder, or a link.", valueName: "ID"))
  var id: String

  @Flag(name: .shortAndLong, help: "Print the ID of each file too, so that 'get' can fetch a single file.")
  var long = false

  @Flag(
    name: [.customShort("0"), .long],
    help: "End each entry with a NUL instead of a newline, and escape nothing (for programs).")
  var null = false

  @Flag(help: "Print each entry as a JSON object, one a line, on stdout.")
  var json = false

  @OptionGroup var peers: ListingOptions

  func validate() throws {
    guard !(json && (long || null)) else {
      throw ValidationError("--json says all that --long and --null say: leave those out.")
    }
  }

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      let wanted = try Wanted(typed: id)
      switch try ListingFetch(wanted, peers, try peers.settings()).run() {
      case .folder(let listing): print(listing, wanted.fileID)
      case .file(let name, let length): ListingLines.printFile(name, length, wanted.fileID, self)
      }
    }
  }

  private func print(_ listing: FolderListing, _ id: FileID) {
    if json { return ListingJSON.print(listing, id) }
    ListingLines(listing, isLong: long, isNull: null).print()
  }
}
