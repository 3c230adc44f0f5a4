// The command: one file a verb.
import ArgumentParser

@main
struct P2PNode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2pnode", abstract: "Moves large files from many machines to many, and never leaves a wrong byte.")
}
