// The command: one file a verb.
import ArgumentParser

@main
struct P2PNode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2pnode",
    abstract: "Moves large files from many machines to many, and never leaves a wrong byte.",
    discussion: """
      On the machines that have the files:   p2pnode serve FOLDER
      On the machine that wants one:         p2pnode get FILEID --peer HOST:PORT --peer HOST:PORT
      """,
    version: "0.1.0",
    subcommands: [Serve.self, Get.self, ID.self, Link.self, Verify.self, Keygen.self, WhoAmI.self])

  static func main() { main(Stay.completed(Array(CommandLine.arguments.dropFirst()))) }
}
