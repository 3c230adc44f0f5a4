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
    var worst: Failure?
    for file in files {
      do throws(Failure) {
        let fileID = try p2pnode.fileID(of: file)
        Console.output("\(fileID.hex)  \(Console.escaped(file))")
      } catch {
        Console.error("p2pnode: \(error.message)")
        worst = worst ?? error
      }
    }
    if let worst { throw ExitCode(worst.code) }
  }
}

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks that a file is the one with this fileID.",
    discussion: """
      Exits with 0 if it is, with 65 if it is not.
        p2pnode verify FILEID disk.img
      """)

  @Argument(help: ArgumentHelp("64 hexadecimal digits.", valueName: "FILEID"))
  var fileID: String

  @Argument(help: ArgumentHelp("The file to check.", valueName: "FILE"))
  var file: String

  func run() throws {
    try reporting { () throws(Failure) in
      let expected = try FileID(typed: fileID)
      let actual = try p2pnode.fileID(of: file)
      guard actual == expected else {
        throw Failure(Exit.badData, "\(file): is \(actual.hex), not the file \(expected.hex)")
      }
      Console.output("\(Console.escaped(file)): OK")
    }
  }
}

extension FileID {
  /// A fileID as a person typed it.
  init(typed text: String) throws(Failure) {
    guard let fileID = FileID(hex: text) else {
      throw Failure(
        Exit.usage,
        "'\(Console.escaped(text))' is not a fileID: that is 64 hexadecimal digits, as 'p2pnode id' and 'serve' print them"
      )
    }
    self = fileID
  }
}

/// Hashes a file on all cores, with progress on a terminal.
private func fileID(of file: String) throws(Failure) -> FileID {
  defer { Console.endStatus() }
  do throws(SkipReason) {
    return try hashFile(file, onProgress: { Console.status(HashScreen.line($0, name: file)) }).fileID
  } catch {
    switch error {
    case .io(let errno) where errno.isInputOutput: throw Failure(Exit.ioError, "cannot read \(errno)")
    case .io(let errno): throw Failure(Exit.noInput, "cannot read \(errno)")
    default: throw Failure(Exit.noInput, "cannot read \(file): \(error)")
    }
  }
}
