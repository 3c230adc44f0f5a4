// `p2pnode id`: the IDs of local files and folders.
import ArgumentParser
import CommandSettings
import Content
import Posix
import Storage
import Synchronization

struct ID: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "id", abstract: "Prints the IDs of files and folders.",
    discussion: """
      Prints lines like sha256sum: the ID, two spaces, the path (with control characters escaped). The path of a \
      folder ends with /. The ID of a folder stands for its files, their names and contents, its links and its empty \
      folders. 'id' and 'serve' print the same ID if both leave out the same files.

        p2pnode id images/disk.img
        p2pnode id images
      """)

  @Argument(help: ArgumentHelp("Files and folders to hash.", valueName: "FILE"), completion: .file())
  var files: [String]

  @OptionGroup var contents: FolderOptions

  @OptionGroup var place: ConfigOption

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
  var json = false

  func run() throws {
    guard !files.isEmpty else { throw ValidationError("Name at least one file.") }
    try forEach(files, json: json) { file throws(Failure) in
      if Directory.exists(file) { return try printFolder(file) }
      let (fileID, length) = try hashed(file, json: json)
      guard json else { return Console.output("\(fileID.hex)  \(Console.escaped(file))") }
      var line = JSONLine(event: "file")
      line.set("fileID", fileID.hex)
      line.set("bytes", length)
      line.set("path", file)
      Console.output(line.finished)
    }
  }
}

extension ID {
  private func printFolder(_ folder: String) throws(Failure) {
    let settings = try Settings.inForce(options: contents.given, file: try place.file())
    let hashed = try hashedFolder(folder, settings.rules, json: json)
    let path = folder.hasSuffix("/") ? folder : folder + "/"
    if json {
      var line = JSONLine(event: "folder")
      line.set("folderID", hashed.folderID.hex)
      line.set("bytes", hashed.contentsLength)
      line.set("path", path)
      line.set("leftOut", hashed.leftOut.total)
      Console.output(line.finished)
    } else {
      Console.output("\(hashed.folderID.hex)  \(Console.escaped(path))")
    }
    try hashed.checkIsWhole(folder)
  }
}

/// Calls `body` with each file, also after a failure. The first failure gives the exit code.
func forEach(_ files: [String], json: Bool, _ body: (String) throws(Failure) -> Void) throws {
  var first: Failure?
  for file in files {
    do throws(Failure) { try body(file) } catch {
      error.say(json: json)
      first = first ?? error
    }
  }
  if let first { throw ExitCode(first.code) }
}

/// Hashes a file on all cores, with progress on a terminal.
/// - `json`: whether programs read stdout.
func hashed(_ file: String, json: Bool) throws(Failure) -> (fileID: FileID, length: UInt64) {
  Console.watchStops()
  defer { Console.endShow() }
  do throws(SkipReason) {
    let reporter = HashReporter(of: file, json: json)
    let (fileID, tree) = try hashFile(file, onProgress: { reporter.show($0) })
    return (fileID, tree.pages.layout.fileLength)
  } catch {
    switch error {
    case .io(let errno) where errno.isInputOutput:
      throw Failure(Exit.ioError, "cannot read \(errno); try again when the disk works")
    case .io(let errno):
      throw Failure(Exit.noInput, "cannot read \(errno); check the path, and that this user may read it")
    default: throw Failure(Exit.noInput, "cannot read \(file): \(error); name a regular file that no program writes to")
    }
  }
}

/// Hashes all files of a folder on all cores, with progress on a terminal. Prints what is left out on stderr.
/// - `json`: whether programs read stdout.
func hashedFolder(_ folder: String, _ rules: ServingRules, json: Bool) throws(Failure) -> HashedFolder {
  Console.watchStops()
  let hashed: HashedFolder
  do throws(ListingError) {
    defer { Console.endShow() }
    let reporter = HashReporter(of: folder, json: json)
    hashed = try HashedFolder(folder, rules: rules, onProgress: { reporter.show($0) })
  } catch {
    switch error {
    case .io(let errno) where errno.isInputOutput:
      throw Failure(Exit.ioError, "cannot read \(errno); try again when the disk works")
    case .io(let errno):
      throw Failure(Exit.noInput, "cannot read \(errno); check the path, and that this user may read it")
    case .changing: throw Failure(Exit.noInput, "\(folder): \(error); try again when no program writes to it")
    case .fault, .cannotKeep: throw Failure(Exit.noInput, "\(folder) has no ID: \(error)")
    }
  }
  for skipped in hashed.skipped {
    if json { Console.output(JSONLine(skipped).finished) }
    Console.log(.warning, "left out: \(Console.escaped(skipped.description))")
  }
  if !hashed.leftOut.isEmpty { Console.log(.info, "\(Console.escaped(folder)): left out: \(hashed.leftOut)") }
  return hashed
}

extension HashedFolder {
  /// Throws if a file or folder in it could not be read, because then the ID is not that of the whole folder. Names
  /// that no listing can have do not count, because no node ever serves them.
  /// - `path`: the path as the user gave it.
  func checkIsWhole(_ path: String) throws(Failure) {
    let unread = skipped.count { $0.reason != .nameNotUTF8 }
    guard unread > 0 else { return }
    throw Failure(
      Exit.noInput,
      "\(path): the ID leaves out \(Format.count(unread, "path")) that cannot be read; make them readable for "
        + "this user, or leave them out with --exclude")
  }
}

extension JSONLine {
  /// Makes the event for a path that a folder's ID leaves out, with a reason that the user should know.
  init(_ skipped: SkippedFile) {
    self.init(event: "skipped")
    set("path", skipped.path)
    set("reason", skipped.reason.description)
  }
}

/// Shows the progress of hashing a path: on a terminal, now and then in a log, and as events for programs.
final class HashReporter: Sendable {
  private let path: String
  private let json: Bool
  private let clock: Mutex<HashClock>

  init(of path: String, json: Bool) {
    (self.path, self.json) = (path, json)
    clock = Mutex(json ? .ofProgram : .ofLog)
  }

  /// Shows progress. Any thread may call it.
  func show(_ progress: HashProgress) {
    let report = clock.withLock { $0.report(progress, at: Clock.monotonicNanoseconds) }
    HashScreen.show(report, name: path)
    guard report.isDue else { return }
    if json {
      Console.output(JSONLine(report, path: path).finished)
    } else if !Console.isTerminal {
      Console.error("hashing \(Console.escaped(path)): \(report.words)")
    }
  }
}

extension JSONLine {
  /// - `path`: the file or folder that is hashed. Nil: the served folder.
  init(_ report: HashReport, path: String? = nil) {
    self.init(event: "hashing")
    if let path { set("path", path) }
    set("bytes", report.progress.bytesDone)
    set("totalBytes", report.progress.bytesTotal)
    set("files", report.progress.filesDone)
    set("totalFiles", report.progress.filesTotal)
    if let seconds = report.secondsLeft { set("secondsLeft", seconds) }
  }
}
