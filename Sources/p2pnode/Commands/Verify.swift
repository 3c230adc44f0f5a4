// `p2pnode verify`: checks whether a file or a folder on this machine is the one with an ID.
import ArgumentParser
import CommandSettings
import Content
import Posix
import Storage
import Wire

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks that a file or folder matches an ID.",
    discussion: """
      Reads the whole file or folder. Exits with 0 if it matches the ID, and with 65 if it does not. If a folder \
      differs, 'verify' prints a line for each path that is missing, extra or different. For this it needs the \
      folder's listing: from an earlier 'get' or 'ls', or else from a peer. It checks all paths of the listing. A \
      path that is not in the listing counts as extra only if 'serve' would serve it with the same --hidden, \
      --follow-links and --exclude. If you fetched only a part of the folder, give the same --include to check this \
      part; then --exclude also leaves out paths of the listing.

        ID=\(ExampleID.file)
        p2pnode verify $ID images/disk.img

      To check a folder:

        ID=\(ExampleID.folder)
        p2pnode verify $ID images

      To check a folder that 'get --include docs' fetched:

        p2pnode verify $ID images --include docs
      """)

  @Argument(help: ArgumentHelp("The ID of a file or folder (64 hexadecimal digits), or a link.", valueName: "ID"))
  var id: String

  @Argument(help: ArgumentHelp("The file or folder to check.", valueName: "FILE"), completion: .file())
  var file: String

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Check only paths of the folder that match these patterns, separated by commas, and that no --exclude matches. "
        + "May be repeated.",
      valueName: "GLOB"))
  var include: [PlacedPatterns] = []

  @OptionGroup var contents: FolderOptions

  @OptionGroup var peers: ListingOptions

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      let wanted = try Wanted(typed: id)
      if Directory.exists(file) { try verifyFolder(wanted) } else { try verifyFile(wanted) }
    }
  }

  private func verifyFile(_ wanted: Wanted) throws(Failure) {
    let actual = try hashed(file, json: json)
    guard actual.fileID == wanted.fileID else {
      if ListingFetch.cache?.listing(of: wanted.fileID) != nil {
        throw Failure(
          Exit.badData, "\(file): is a file, and \(wanted.fileID.hex) is the ID of a folder; name the folder")
      }
      throw Failure(
        Exit.badData, "\(file): is \(actual.fileID.hex), not the file \(wanted.fileID.hex); fetch it again")
    }
    try check(wanted.link, hasLength: actual.length)
    printOK("fileID", actual.fileID, bytes: actual.length)
  }

  private func check(_ link: FileLink?, hasLength length: UInt64) throws(Failure) {
    guard let expected = link?.length, expected != length else { return }
    throw Failure(Exit.badData, Failure.wrongLink(says: expected, has: length))
  }

  private func printOK(_ name: String, _ id: FileID, bytes: UInt64) {
    guard json else { return Console.output("\(Console.escaped(file)): OK") }
    var line = JSONLine(event: "verified")
    line.set(name, id.hex)
    line.set("bytes", bytes)
    line.set("path", file)
    Console.output(line.finished)
  }

  // MARK: Folders

  private func verifyFolder(_ wanted: Wanted) throws(Failure) {
    let set = try peers.settings(contents.given)
    let hashed = try hashedFolder(file, set.rules, json: json)
    if hashed.folderID == wanted.fileID {
      try check(wanted.link, hasLength: hashed.loaded.chunks.fileLength)
      return printOK("folderID", wanted.fileID, bytes: hashed.contentsLength)
    }
    let listing = try listing(of: wanted, set, actual: hashed.folderID)
    let part = part
    let checked = part.entries(of: listing).entries
    guard !checked.isEmpty || include.isEmpty else {
      throw Failure(
        Exit.usage, "the folder has no path that --include includes; 'p2pnode ls' lists the paths: check the patterns")
    }
    let differences = try differences(of: hashed, from: listing, set.rules).filter {
      part.includes($0.path.description)
    }
    guard !differences.isEmpty else {
      let bytes = checked.reduce(0) { $0 + (listing.isFile($1) ? listing.fileLength(of: $1) : 0) }
      return printOK("folderID", wanted.fileID, bytes: bytes)
    }
    throw DifferenceLines(differences, entryCount: checked.count, json: json).printed(file, wanted.fileID)
  }

  /// The paths to check: all, unless --include names some.
  private var part: FolderFilter {
    if include.isEmpty { return FolderFilter() }
    return FolderFilter(including: include, excluding: contents.exclude.compactMap { PlacedPatterns(argument: $0) })
  }

  /// Returns the listing of the ID. Without it, all that is known is that the folder is not the right one.
  private func listing(of wanted: Wanted, _ set: Settings, actual: FileID) throws(Failure) -> FolderListing {
    if let listing = ListingFetch.cache?.listing(of: wanted.fileID) {
      try check(wanted.link, hasLength: UInt64(listing.bytes.count))
      return listing
    }
    let found: ListingFetch.Found
    do throws(Failure) { found = try ListingFetch(wanted, peers, set).run() } catch {
      guard [Exit.unavailable, Exit.tryAgain, Exit.notAdmitted].contains(error.code) else { throw error }
      throw Failure(
        Exit.badData,
        "\(file): is \(actual.hex), not the folder \(wanted.fileID.hex); to name what differs, 'verify' needs "
          + "its listing: \(error.message)")
    }
    switch found {
    case .folder(let listing): return listing
    case .file(let name, let length):
      throw Failure(
        Exit.badData,
        "\(file): is a folder, and \(wanted.fileID.hex) is the ID of a file (\(Console.escaped(name)), \(length) bytes); "
          + "name the file")
    }
  }

  private func differences(
    of hashed: HashedFolder, from listing: FolderListing, _ rules: ServingRules
  ) throws(Failure) -> [FolderDifference] {
    do throws(ListingError) {
      defer { Console.endShow() }
      let reporter = HashReporter(of: file, json: json)
      return try FolderCheck(file, hashed, against: listing, rules: rules) {
        reporter.show($0)
      }.differences
    } catch {
      throw Failure(Exit.noInput, "\(file): \(error); try again when no program writes to it")
    }
  }
}
