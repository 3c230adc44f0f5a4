// `p2pnode ls`: prints the entries of a folder's ID without fetching the files.
import ArgumentParser
import Content

struct Ls: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "Lists the files of a folder's ID, without fetching them.",
    discussion: """
      Fetches only the listing, which is verified as all data is. Prints an entry a line: the bytes of the file, a * if it \
      can be executed, its path; of a link '->' and its target; of an empty folder its path and a /. What moves a cursor is \
      escaped. If the ID is a file's, its bytes and its name are printed.

        ID=\(ExampleID.folder)
        p2pnode ls $ID
      """)

  @Argument(help: ArgumentHelp("The ID of a folder, or a link.", valueName: "ID"))
  var id: String

  @Flag(name: .shortAndLong, help: "The ID of each file as well, so that one file can be fetched by its own.")
  var long = false

  @Flag(
    name: [.customShort("0"), .long],
    help: "For programs: a NUL ends each entry in place of a line's end, and nothing is escaped.")
  var null = false

  @Flag(help: "One JSON object an entry on stdout.")
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
