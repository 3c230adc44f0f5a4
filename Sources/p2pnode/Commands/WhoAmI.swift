// `p2pnode whoami`: prints the node's own PeerID, for others to pin or allow.
import ArgumentParser
import CommandSettings
import Storage
import Wire

struct WhoAmI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami", abstract: "Prints the PeerID of this node.",
    discussion: """
      That of 'serve', which is made if missing, or of the key in --identity. Others pin it \
      ('--peer PEERID@HOST:PORT') or allow it ('serve --allow PEERID'). A 'get' without --identity has another one each time.

        p2pnode whoami --identity laptop.key --create
      """)

  @Option(
    help: ArgumentHelp("The file of a secret key (32 bytes, mode 0600).", valueName: "FILE"),
    completion: .file())
  var identity: String?

  @Flag(help: "Make the key in --identity if it is missing, as 'serve' and 'get' do.")
  var create = false

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
    do throws(SecretFileError) {
      return try LoadedIdentity.peerID(path, makes: create || identity == nil)
    } catch {
      guard case .missing = error else { throw Failure(error) }
      throw Failure(Exit.noInput, "\(error); name another key, or make one there with --create")
    }
  }
}
