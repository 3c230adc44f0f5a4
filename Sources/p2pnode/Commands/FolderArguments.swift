// The options of `get` for folders.
import ArgumentParser
import Content
import PeerNode
import Posix
import Storage
import Synchronization

/// Patterns of paths, joined by commas, with their place on the command line. The parser sorts options by name, but the
/// order in which they were typed matters.
struct PlacedPatterns: ExpressibleByArgument {
  private static let count = Atomic<Int>(0)

  /// The whole argument, because a name may have a comma, and the parts between commas.
  let patterns: [PathPattern]
  let place: Int

  init?(argument: String) {
    guard let whole = PathPattern(argument) else { return nil }
    let parts = argument.split(separator: ",").compactMap { PathPattern(String($0)) }
    patterns = [whole] + (argument.utf8.contains(UInt8(ascii: ",")) ? parts : [])
    place = PlacedPatterns.count.add(1, ordering: .relaxed).newValue
  }
}

extension FolderFilter {
  /// Makes the filter, in the order in which the patterns were typed.
  init(including: [PlacedPatterns], excluding: [PlacedPatterns]) {
    let included = including.map { ($0.place, $0.patterns.map { Rule(including: $0) }) }
    let excluded = excluding.map { ($0.place, $0.patterns.map { Rule(excluding: $0) }) }
    self.init((included + excluded).sorted { $0.0 < $1.0 }.flatMap(\.1))
  }
}

struct FolderArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Fetch only paths of the folder that match these patterns, such as 'docs', '*.txt' or 'a/**/b', separated by "
        + "commas. If --include and --exclude both match a path, the last pattern decides. May be repeated.",
      valueName: "GLOB"))
  var include: [PlacedPatterns] = []

  @Option(
    help: ArgumentHelp(
      "Leave out paths of the folder that match these patterns, separated by commas. May be repeated.",
      valueName: "GLOB"))
  var exclude: [PlacedPatterns] = []

  @Flag(help: "Update an existing folder to this version; -o names the folder itself. 'get' fetches only what differs.")
  var update = false

  @Flag(
    help:
      "At the end of --update, delete files and folders that this version does not have, except hidden and excluded ones."
  )
  var delete = false

  @Flag(help: "With --delete, also delete hidden files and folders.")
  var hidden = false

  @Option(
    help: ArgumentHelp(
      "Copy data that is the same from the files of this folder instead of fetching it. May be repeated.",
      valueName: "DIR"),
    completion: .directory)
  var reuse: [String] = []

  @Flag(help: "Only print what 'get' would add, change, keep and delete in the folder.")
  var dryRun = false

  /// Throws if options of `get` exclude each other.
  func check(output: String?, force: Bool, stays: Bool, isSeveral: Bool) throws {
    if dryRun, isSeveral { throw ValidationError("--dry-run takes only one ID.") }
    if output == "-", update || dryRun || !reuse.isEmpty {
      throw ValidationError("-o - writes to stdout, and never to a folder: leave out --update, --dry-run and --reuse.")
    }
    if delete, !update { throw ValidationError("--delete needs --update: add --update, or leave --delete out.") }
    if hidden, !delete { throw ValidationError("--hidden needs --delete: add --delete, or leave --hidden out.") }
    if dryRun, stays {
      throw ValidationError("--dry-run fetches no file that --keep-serving could offer: leave one of the two out.")
    }
  }

  /// Returns the folder options of the download.
  func options(force: Bool) throws(Failure) -> PeerNode.FolderOptions {
    for folder in reuse where !Directory.exists(folder) {
      throw Failure(Exit.noInput, "\(folder): no such folder; name one whose files may be copied with --reuse DIR")
    }
    var options = PeerNode.FolderOptions()
    options.filter = FolderFilter(including: include, excluding: exclude)
    options.reusedFolders = reuse
    options.updates = update
    options.deletes = delete
    options.deletesHidden = hidden
    options.acceptsStrangeOutput = force
    options.isPlanOnly = dryRun
    if let state = try? StateFolders.ofUser().state + "/outputs" {
      // Without this folder, files are hashed each time.
      if (try? StateFolders.make(state)) != nil { options.stateFolder = state }
    }
    return options
  }

  /// Returns the place of the folder that --update changes: -o names the folder itself. The printed path is relative if -o
  /// is. It is absolute if the last component of -o is '.', '..' or a link, whose target is updated.
  func outputFolder(_ output: String) throws(Failure) -> DownloadTarget {
    let given = PathParts(output)
    let isNamed = !["", ".", "..", "/"].contains(given.name)
    guard Directory.exists(output) else {
      guard isNamed else {
        throw Failure(
          Exit.cannotCreate, "\(output): no such folder; name the folder that --update brings to this version")
      }
      return DownloadTarget(folder: given.folder, name: given.name)
    }
    if isNamed, (try? Directory(given.folder).status(of: given.name))?.kind == .directory {
      return DownloadTarget(folder: given.folder, name: given.name)
    }
    let path: String
    do throws(Errno) { path = try Directory(output).realPath() } catch {
      throw Failure(Exit.cannotCreate, "cannot open the output: \(error); name another folder with -o PATH")
    }
    let parts = PathParts(path)
    guard parts.name != "/", !parts.name.isEmpty else {
      throw Failure(Exit.cannotCreate, "\(output): is the root of all folders; name another folder with -o PATH")
    }
    return DownloadTarget(folder: parts.folder, name: parts.name)
  }

  /// Returns the path of an existing folder if it may be the output itself. Nil if the path ends in a slash or a dot,
  /// which means a place inside the folder.
  func tree(_ output: String) -> PathParts? {
    let parts = PathParts(output)
    return output.utf8.last == UInt8(ascii: "/") || [".", ".."].contains(parts.name) ? nil : parts
  }
}
