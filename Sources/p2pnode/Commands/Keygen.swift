// `p2pnode keygen`: makes the key of a private swarm.
import ArgumentParser
import Sodium
import Storage

struct Keygen: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen", abstract: "Makes the key of a private swarm.",
    discussion: """
      Writes 32 random bytes to FILE, which only its owner can read. Copy the file to every machine of the swarm.

        p2pnode keygen swarm.key
        p2pnode serve images --swarm-key swarm.key
      """)

  @Argument(
    help: ArgumentHelp("The file to create. An existing file is never overwritten.", valueName: "FILE"),
    completion: .file())
  var file: String

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
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
