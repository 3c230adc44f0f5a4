// `p2psim`: the command line of the simulator.
import ArgumentParser

@main
struct P2PSim: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2psim",
    abstract: "Plays whole swarms on virtual time, each from a seed, and checks the rules of the engine at every step.",
    subcommands: [Seeds.self, FlashCrowd.self, Choosing.self], defaultSubcommand: Seeds.self)
}
