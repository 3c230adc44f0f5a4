// `p2pnode id` and `p2pnode verify`: fileIDs of local files.
import ArgumentParser
import Content
import Posix
import Storage

struct ID: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "id", abstract: "Prints the fileIDs of files.",
    discussion: """
      Prints lines as sha256sum does: the fileID, two spaces, the path (with what moves a cursor escaped).
        p2pnode id disk.img
      """)

  @Argument(help: ArgumentHelp("Files to hash.", valueName: "FILE"))
  var files: [String]

  func run() throws {
    guard !files.isEmpty else { throw ValidationError("Name at least one file.") }
    try forEach(files) { file throws(Failure) in
      Console.output("\(try hashed(file).fileID.hex)  \(Console.escaped(file))")
    }
  }
}

/// Does something with each file. One that fails does not keep it from the others; the first failure is the exit code.
func forEach(_ files: [String], _ body: (String) throws(Failure) -> Void) throws {
  var first: Failure?
  for file in files {
    do throws(Failure) { try body(file) } catch {
      Console.error("p2pnode: \(error.message)")
      first = first ?? error
    }
  }
  if let first { throw ExitCode(first.code) }
}

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks that a file is the one with this fileID.",
    discussion: """
      Exits with 0 if it is, with 65 if it is not.
        p2pnode verify FILEID disk.img
      """)

  @Argument(help: ArgumentHelp("64 hexadecimal digits, or a link.", valueName: "FILEID"))
  var fileID: String

  @Argument(help: ArgumentHelp("The file to check.", valueName: "FILE"))
  var file: String

  func run() throws {
    try reporting { () throws(Failure) in
      let wanted = try Wanted(typed: fileID)
      let actual = try hashed(file)
      guard actual.fileID == wanted.fileID else {
        throw Failure(Exit.badData, "\(file): is \(actual.fileID.hex), not the file \(wanted.fileID.hex)")
      }
      if let length = wanted.link?.length, length != actual.length {
        throw Failure(Exit.badData, Failure.wrongLink(says: length, has: actual.length))
      }
      Console.output("\(Console.escaped(file)): OK")
    }
  }
}

/// Hashes a file on all cores, with progress on a terminal.
func hashed(_ file: String) throws(Failure) -> (fileID: FileID, length: UInt64) {
  defer { Console.endStatus() }
  do throws(SkipReason) {
    let (fileID, tree) = try hashFile(file, onProgress: { Console.status(HashScreen.line($0, name: file)) })
    return (fileID, tree.pages.layout.fileLength)
  } catch {
    switch error {
    case .io(let errno) where errno.isInputOutput: throw Failure(Exit.ioError, "cannot read \(errno)")
    case .io(let errno): throw Failure(Exit.noInput, "cannot read \(errno)")
    default: throw Failure(Exit.noInput, "cannot read \(file): \(error)")
    }
  }
}
