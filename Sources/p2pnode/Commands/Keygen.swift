// `p2pnode keygen`: makes the key of a private swarm.
import ArgumentParser
import Sodium
import Storage

struct Keygen: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen", abstract: "Makes the key of a private swarm.",
    discussion: """
      The file holds 32 random bytes and is readable by its owner alone. Copy it to every machine of the swarm.

        p2pnode keygen swarm.key
        p2pnode serve images --swarm-key swarm.key
      """)

  @Argument(
    help: ArgumentHelp("The file to make; never overwritten.", valueName: "FILE"),
    completion: .file())
  var file: String

  @Flag(help: "One JSON object an event on stdout.")
  var json = false

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      do throws(SecretFileError) {
        let secret = SecretKey.random()
        try secret.withBytes { bytes throws(SecretFileError) in try SecretFile.create(file, secret: bytes) }
      } catch {
        throw Failure(error)
      }
      guard json else { return }
      var line = JSONLine(event: "key")
      line.set("path", file)
      Console.output(line.finished)
    }
  }
}
