// The command: one file a verb.
import ArgumentParser
import CommandSettings
import Posix

@main
struct P2PNode: ParsableCommand {
  /// The version of the program, of its manual and of its packages: they ask for it by `--version`.
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "p2pnode",
    abstract: "Moves large files from many machines to many, and never leaves a wrong byte.",
    discussion: """
      On the machines that have the files:

        p2pnode serve images

      On the machine that wants one:

        p2pnode get ID --peer HOST:PORT --peer HOST:PORT

      Or for one file or folder, and for as long as it takes:

        p2pnode send disk.img

      'p2pnode help VERB' has examples for each. After '--' all words are names, also those that begin with a hyphen.
      """,
    version: version,
    // Each says its name: to find it out from its type takes longer than a handshake.
    subcommands: [
      Serve.self, Send.self, Get.self, Receive.self, Ls.self, ID.self, Link.self, Verify.self, Parts.self,
      Keygen.self, WhoAmI.self, Config.self,
    ])

  private static var verbs: [String] {
    configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
  }

  static func main() {
    Terminal.holdClosedStreams()
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      try reporting(json: arguments.contains("--json")) { () throws(Failure) in try Surroundings.check() }
      if let fault = UnknownVerb.fault(in: arguments, verbs: verbs) { throw fault }
      if let fault = HyphenWord.fault(in: arguments) { throw fault }
      var command = try parseAsRoot(Stay.completed(arguments))
      try command.run()
      // A node that served has done its work, whatever became of its lines.
      if !(command is Serve) { try checkOutput() }
    } catch {
      // What a verb itself found wrong is told already, and has no message here.
      let message = exitCode(for: error) == .validationFailure ? message(for: error) : ""
      if arguments.contains("--json"), !message.isEmpty { Failure(Exit.usage, message).printJSON() }
      if exitCode(for: error).isSuccess { end(printing: fullMessage(for: error)) }
      exit(withError: error)
    }
  }

  /// The help, the version and scripts of a shell are printed as any result.
  private static func end(printing text: String) -> Never {
    if !text.isEmpty { Console.output(text) }
    do { try checkOutput() } catch { exit(withError: error) }
    exit()
  }

  /// What a verb prints is its result: it must have been written.
  private static func checkOutput() throws {
    guard let error = Console.outputFailure else { return }
    throw Failure(writing: error).report(json: false)
  }
}
