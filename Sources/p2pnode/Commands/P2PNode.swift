// The command `p2pnode`. Each verb has its own file.
import ArgumentParser
import CommandSettings
import Posix

@main
struct P2PNode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2pnode",
    abstract: "Moves large files between many machines, and verifies every byte.",
    discussion: """
      On the machines that have the files:

        p2pnode serve images

      On a machine that fetches a file:

        p2pnode get ID --peer HOST:PORT --peer HOST:PORT

      To offer one file or folder until you stop it:

        p2pnode send disk.img

      'p2pnode help VERB' has examples for each verb. After '--' every word is a path, even if it begins with a hyphen.
      """,
    version: Version.line(),
    // Each verb sets its name, because deriving the name from the type takes longer than a handshake.
    subcommands: [
      Serve.self, Send.self, Get.self, Receive.self, Ls.self, ID.self, Link.self, Verify.self, Parts.self,
      Keygen.self, WhoAmI.self, Config.self,
    ])

  private static var verbs: [String: any ParsableCommand.Type] {
    var verbs: [String: any ParsableCommand.Type] = [:]
    for verb in configuration.subcommands { verbs[verb.configuration.commandName ?? ""] = verb }
    return verbs
  }

  static func main() {
    Terminal.holdClosedStreams()
    let arguments = Array(CommandLine.arguments.dropFirst())
    let verb = arguments.first ?? ""
    do {
      try reporting(json: arguments.contains("--json")) { () throws(Failure) in try Surroundings.check() }
      if let fault = UnknownVerb.fault(in: arguments, verbs: verbs.keys + ["help"]) ?? HyphenWord.fault(in: arguments) {
        throw UsageFault.failure(fault, verbs[verb] == nil ? nil : verb).report(json: arguments.contains("--json"))
      }
      var command = try parseAsRoot(Stay.completed(arguments))
      try command.run()
      // A node that served did its work, even if its lines could not be printed.
      if !(command is Serve) { try checkOutput() }
    } catch {
      if exitCode(for: error).isSuccess { end(printing: fullMessage(for: error)) }
      // The verb already reported its own failure. There is no message for it here.
      let message = exitCode(for: error) == .validationFailure ? message(for: error) : ""
      if message.isEmpty { exit(withError: error) }
      let fault = UsageFault.failure(message, in: Stay.completed(arguments), of: verb, verbs[verb])
      exit(withError: fault.report(json: arguments.contains("--json")))
    }
  }

  /// Prints the help, the version or a completion script, and fails as a verb does if stdout cannot be written.
  private static func end(printing text: String) -> Never {
    if !text.isEmpty { Console.output(text) }
    do { try checkOutput() } catch { exit(withError: error) }
    exit()
  }

  /// Throws if stdout could not be written, because a verb's output is its result.
  private static func checkOutput() throws {
    guard let error = Console.outputFailure else { return }
    throw Failure(writing: error).report(json: false)
  }
}
