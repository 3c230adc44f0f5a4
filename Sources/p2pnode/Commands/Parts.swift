// `p2pnode parts`: lists what interrupted downloads left behind.
import ArgumentParser
import Content
import Posix
import Storage
import Transfer

struct Parts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parts", abstract: "Lists unfinished downloads, and the commands that continue them.",
    discussion: """
      Looks in DIR and the folders below it for unfinished downloads: hidden files and folders whose names end with \
      .p2p-part. For each, 'parts' prints a command that continues the download. Add the options of the original \
      command to it, such as --peer or --swarm-key.

        p2pnode parts images
        p2pnode parts images --clean
      """)

  @Argument(
    help: ArgumentHelp("The folders to search (default: the current folder).", valueName: "DIR"), completion: .directory
  )
  var folders: [String] = []

  @Flag(help: "Remove unfinished downloads that no running 'get' uses.")
  var clean = false

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
  var json = false

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      var first: Failure?
      var (found, removed, bytes) = (0, 0, UInt64(0))
      for folder in folders.isEmpty ? ["."] : folders {
        let left: LeftParts
        do throws(Errno) { left = try LeftParts(below: folder) } catch {
          throw Failure(Exit.noInput, "cannot look into \(error); name a folder that this user can read")
        }
        for error in left.unreadable { Console.error("cannot look into \(error)") }
        for part in left.parts {
          found += 1
          bytes += part.diskBytes
          do throws(Failure) { if try handle(part) { removed += 1 } } catch {
            if !json { Console.error("p2pnode: \(error.message)") }
            first = first ?? error
          }
        }
      }
      if !json { end(found: found, removed: removed, bytes: bytes) }
      if var failure = first {
        failure.isTold = !json
        throw failure
      }
    }
  }

  /// Prints a part, and removes it with --clean. Returns whether it was removed.
  private func handle(_ part: LeftPart) throws(Failure) -> Bool {
    let lines = PartLines(part)
    let removes = clean && !part.isRunning
    if removes {
      do throws(PartFileError) { try part.remove() } catch {
        if case .running = error {} else { throw Failure(Exit.ioError, "cannot remove \(error); remove it by hand") }
      }
    }
    if json { lines.printJSON(isRemoved: removes) } else { lines.print(isRemoved: removes, isCleaning: clean) }
    return removes
  }

  private func end(found: Int, removed: Int, bytes: UInt64) {
    if found == 0 { return Console.error("There are no unfinished downloads here.") }
    if clean {
      if removed < found { Console.error("\(found - removed) of \(found) remain.") }
      return
    }
    Console.error("Add the options of the original command, such as --peer and --swarm-key.")
    Console.error(
      "\(Format.size(bytes)) in total. To remove the unfinished downloads that no running 'get' uses, add --clean.")
  }
}

/// The lines about one part.
struct PartLines {
  private let part: LeftPart
  private let journal: JournalContents?

  init(_ part: LeftPart) {
    self.part = part
    journal = JournalContents(decoding: part.journal)
  }

  /// The ID. Nil if only its start is known.
  private var id: FileID? { part.isFolder ? part.folderID : journal?.header.fileID }

  /// The name that the output will have. Nil if it is not known.
  private var name: String? { part.outputName ?? journal?.name }

  /// How much of the file, or of the folder's files, is verified and on the disk. Nil if that is not known.
  private var verified: (bytes: UInt64, total: UInt64)? { journal.map { ($0.claimedByteCount, $0.header.length) } }

  /// The path of the output. Nil if it is not known.
  private var output: String? {
    guard let name else { return nil }
    // The part folder of an update lies inside the output.
    let path = PathParts(folder: part.folder, name: name).path
    guard part.isFolder, !Directory.exists(path), let real = try? Directory(part.folder).realPath(),
      PathParts(real).name == name
    else { return path }
    return part.folder
  }

  /// The command that resumes the download. Nil if the ID is not known.
  private var command: String? {
    id.map { "p2pnode get \($0.hex)" + (output.map { " -o \(ShellWord.quoted($0))" } ?? "") }
  }

  private var ageSeconds: Double {
    let now = Clock.fileTime
    return max(0, Double(now.seconds - part.modified.seconds))
  }

  func print(isRemoved: Bool, isCleaning: Bool) {
    let what = "\(Console.escaped(name.map { "\($0) (\(part.path))" } ?? part.path)): \(Format.size(part.diskBytes))"
    if isRemoved { return Console.output("removed \(what)") }
    if part.isRunning { return Console.output("\(what), in use by a running download") }
    let share = verified.map { ", \(Format.share(Double($0.bytes) / Double(max($0.total, 1)))) verified" } ?? ""
    Console.output("\(what)\(share), last written \(Format.time(seconds: ageSeconds)) ago")
    if isCleaning { return }
    if let command {
      Console.output("  \(command)")
    } else {
      Console.output("  its full ID is not known; it begins with \(part.idStart)")
    }
  }

  func printJSON(isRemoved: Bool) {
    var line = JSONLine(event: "part")
    if let id { line.set(part.isFolder ? "folderID" : "fileID", id.hex) }
    line.set("idStart", part.idStart)
    line.set("path", part.path)
    if let name { line.set("name", name) }
    line.set("bytes", part.diskBytes)
    if let verified {
      line.set("verifiedBytes", verified.bytes)
      line.set("totalBytes", verified.total)
    }
    line.set("age", ageSeconds)
    line.set("running", part.isRunning)
    line.set("removed", isRemoved)
    if let output { line.set("output", output) }
    Console.output(line.finished)
  }
}
