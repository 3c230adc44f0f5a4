// How the command ends after a failure: a sentence on stderr, and an exit code that scripts can tell apart.
import ArgumentParser
import CommandSettings
import PeerNode
import Posix
import Storage

/// The exit codes of the command line's contract. Values from 64 up are those of sysexits.h.
enum Exit {
  /// Usage; a malformed ID or link.
  static let usage: Int32 = 64
  /// Bad data: `verify` finds a difference, every peer sent wrong data, or a link's length is not that of its file.
  static let badData: Int32 = 65
  /// No such file or folder, or it cannot be read.
  static let noInput: Int32 = 66
  /// No peer has the content, or no peer can be reached.
  static let unavailable: Int32 = 69
  /// The output cannot be created.
  static let cannotCreate: Int32 = 73
  /// I/O error, disk full, port in use.
  static let ioError: Int32 = 74
  /// The retries or peers are used up. Run the command again to resume.
  static let tryAgain: Int32 = 75
  /// Not admitted to the swarm.
  static let notAdmitted: Int32 = 77
}

/// A failure with a message. Verbs throw it, and `report` prints it once.
struct Failure: Error {
  let code: Int32
  /// What happened, to which file or peer, and what to do now.
  let message: String
  /// Whether it was already reported on stdout, for programs.
  var isTold = false

  init(_ code: Int32, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Stdout cannot be written.
  init(writing error: Errno) {
    let why = error.code == Errno.badDescriptor ? "it is closed" : error.reason.lowercased()
    self.init(
      Exit.ioError, "cannot write to stdout: \(why); redirect it, and run the same command again")
  }

  /// The message for a link whose fileID belongs to a file of another length.
  static func wrongLink(says: UInt64, has: UInt64) -> String {
    "the link is wrong: it says that the file has \(says) bytes, but it has \(has); ask for a new link, or use only the fileID"
  }

  /// Prints the message and turns the failure into the parser's exit.
  /// - `json`: whether programs read stdout.
  func report(json: Bool) -> ExitCode {
    say(json: json)
    return ExitCode(code)
  }

  /// Prints the failure on stdout, for programs.
  func printJSON() {
    var line = JSONLine(event: "failed")
    line.set("code", code)
    line.set("message", message)
    Console.output(line.finished)
  }

  func say(json: Bool) {
    if json, !isTold { printJSON() }
    if !message.isEmpty { Console.log(.error, "p2pnode: \(message)") }
  }
}

/// Runs a verb's body. If it fails, reports the failure and ends the command.
func reporting(json: Bool, _ body: () throws(Failure) -> Void) throws {
  do throws(Failure) { try body() } catch { throw error.report(json: json) }
}

extension Failure {
  init(_ error: SettingsError) {
    switch error.kind {
    case .usage: self.init(Exit.usage, error.message)
    case .unreadable: self.init(Exit.noInput, error.message)
    }
  }

  init(_ error: SecretFileError) {
    switch error {
    case .missing:
      self.init(
        Exit.noInput, "\(error); create one with 'p2pnode keygen', copy the key of the swarm, or name another file")
    case .notRegular: self.init(Exit.noInput, "\(error); name another file")
    case .foreign: self.init(Exit.noInput, "\(error); use a copy that this user owns, or run p2pnode as that user")
    case .wrongSize: self.init(Exit.noInput, "\(error); name another file, or copy the key again")
    case .zero: self.init(Exit.noInput, "\(error); create one with 'p2pnode keygen'")
    case .open: self.init(Exit.noInput, error.description)
    case .exists: self.init(Exit.cannotCreate, error.description)
    case .inUse: self.init(Exit.ioError, "\(error); give each process its own --identity FILE")
    case .cannotMake(let errno) where errno.isDiskFull:
      self.init(Exit.ioError, "\(error); make room and run the same command again")
    case .cannotMake(let errno) where errno.isInputOutput:
      self.init(Exit.ioError, "\(error); try again when the disk works")
    case .cannotMake: self.init(Exit.cannotCreate, "\(error); name another file")
    case .io(let errno) where errno.isPermission:
      self.init(Exit.noInput, "\(error); make it readable for this user, or name another file")
    case .io: self.init(Exit.ioError, "\(error); name another file, or try again when the disk works")
    }
  }

  init(_ error: StateFoldersError) {
    switch error {
    case .noHome: self.init(Exit.cannotCreate, error.description)
    case .cannotMake(let errno) where errno.isDiskFull:
      self.init(Exit.ioError, "\(error); make room, or set P2PNODE_HOME to a folder on another disk")
    case .cannotMake:
      self.init(Exit.cannotCreate, "\(error); set P2PNODE_HOME to a folder that this user can write to")
    }
  }

  init(_ error: PartFileError) {
    switch error {
    case .cannotCreate(let errno) where errno.code == Errno.noEntry:
      self.init(Exit.cannotCreate, "\(error); create that folder first, or choose another path with -o PATH")
    case .cannotCreate: self.init(Exit.cannotCreate, "\(error); choose another path with -o PATH")
    case .running: self.init(Exit.cannotCreate, "\(error); wait until it ends, or choose another folder with -o PATH")
    case .exists:
      self.init(Exit.cannotCreate, "\(error); choose another name or use --force to replace it")
    case .occupied: self.init(Exit.cannotCreate, "\(error); choose another name with -o PATH")
    case .sameName:
      self.init(Exit.cannotCreate, "\(error); choose a folder on another file system with -o PATH")
    case .update(let fault): self.init(fault)
    case .notAFile, .foreign: self.init(Exit.cannotCreate, error.description)
    case .diskFull, .noRoom: self.init(Exit.ioError, "\(error); make room and run the same command again")
    case .io(let errno) where errno.isClosedByPeer:
      self.init(Exit.ioError, "the reader closed the stream; nothing is kept, run the same command again")
    case .io: self.init(Exit.ioError, "\(error); run the same command again when the disk works")
    }
  }

  init(_ fault: FolderUpdateFault) {
    switch fault {
    case .changed: self.init(Exit.tryAgain, "\(fault); run the same command again")
    case .unlisted:
      self.init(Exit.cannotCreate, "\(fault); move it away, or use --delete to delete what this version does not have")
    case .nothingKept:
      self.init(Exit.cannotCreate, "\(fault); check that -o PATH is the right folder, or use --force")
    case .strangeOutput:
      self.init(
        Exit.cannotCreate,
        "\(fault); -o must name the updated folder itself, not its parent folder: correct it, or use --force")
    case .notAFile, .mounted: self.init(Exit.cannotCreate, "\(fault); move it away")
    case .otherVersion:
      self.init(
        Exit.cannotCreate,
        "\(fault); use --update to update it, add a / to PATH to put a copy into it, or choose another name with -o PATH"
      )
    }
  }

  /// Nothing can listen at an address.
  init(_ errno: Errno, listen: Endpoint) {
    self.init(
      Exit.ioError,
      "cannot listen on \(listen): \(errno.reason.lowercased()); choose another address with --listen HOST:PORT (port 0 is any free port)"
    )
  }

  init(_ error: ServerError, listen: Endpoint) {
    switch error {
    case .folder(let errno): self.init(Exit.noInput, "cannot serve \(errno); name a folder that this user can read")
    case .listen(let errno): self.init(errno, listen: listen)
    case .state(let error):
      self.init(
        Exit.cannotCreate, "cannot keep hashes: \(error); set P2PNODE_HOME to a folder that this user can write to")
    case .system(let errno):
      self.init(
        Exit.ioError, "cannot start: \(errno); free memory or raise the limit of open files (ulimit -n), and try again")
    case .invalid(let fault): self.init(Exit.usage, "\(fault)")
    }
  }
}
