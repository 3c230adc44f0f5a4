// The command: one file a verb.
import ArgumentParser
import Configuration

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

      'p2pnode help VERB' has examples for each.
      """,
    version: version,
    // Each says its name: to find it out from its type takes longer than a handshake.
    subcommands: [
      Serve.self, Get.self, Receive.self, Ls.self, ID.self, Link.self, Verify.self, Parts.self, Keygen.self, WhoAmI.self,
      Config.self,
    ])

  private static var verbs: [String] {
    configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
  }

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let fault = UnknownVerb.fault(in: arguments, verbs: verbs) { exit(withError: fault) }
    main(Stay.completed(arguments))
  }
}
