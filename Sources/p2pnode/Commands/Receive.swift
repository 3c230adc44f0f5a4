// `p2pnode receive`: another name for `get`, for people who received a link.
import ArgumentParser

struct Receive: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive", abstract: "The same as 'get'.", discussion: "'p2pnode help get' has examples.")

  @OptionGroup var get: Get

  func run() throws { try get.run() }
}
