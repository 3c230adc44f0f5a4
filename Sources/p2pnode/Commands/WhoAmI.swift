// `p2pnode whoami`: one's own PeerID, for others to pin or to allow.
import ArgumentParser
import Configuration
import Storage
import Wire

struct WhoAmI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami", abstract: "Prints the PeerID of this node.",
    discussion: """
      That of 'serve', or of the key in --identity; either key is made if missing. Others pin it \
      ('--peer PEERID@HOST:PORT') or allow it ('serve --allow PEERID'). A 'get' without --identity has another one each time.

        p2pnode whoami --identity laptop.key
      """)

  @Option(
    help: ArgumentHelp("The file of a secret key (32 bytes, mode 0600); made if missing.", valueName: "FILE"),
    completion: .file())
  var identity: String?

  @Flag(help: "One JSON object an event on stdout.")
  var json = false

  @OptionGroup var config: ConfigOption

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      let peerID = try peerID(place())
      guard json else { return Console.output(peerID.hex) }
      var line = JSONLine(event: "peerID")
      line.set("peer", peerID.hex)
      Console.output(line.finished)
    }
  }

  private func place() throws(Failure) -> String {
    if let identity { return identity }
    let settings = try Settings.inForce(options: [:], file: try config.file())
    if let identity = settings.identity { return identity }
    return try LoadedIdentity.makePlaceOfUser()
  }

  private func peerID(_ path: String) throws(Failure) -> PeerID {
    do throws(SecretFileError) { return try LoadedIdentity.peerID(path) } catch { throw Failure(error) }
  }
}
