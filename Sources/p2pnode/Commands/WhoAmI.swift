// `p2pnode whoami`: prints the node's own PeerID, for others to pin or allow.
import ArgumentParser
import CommandSettings
import Storage
import Wire

struct WhoAmI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami", abstract: "Prints the PeerID of this node.",
    discussion: """
      Prints the PeerID that 'serve' uses, or that of the key in --identity. If 'serve' has no key yet, 'whoami' \
      creates it. Other nodes use the PeerID to accept only this node at an address ('--peer PEERID@HOST:PORT'), or \
      to allow it ('serve --allow PEERID'). A 'get' without --identity has a new PeerID each time.

        p2pnode whoami --identity laptop.key --create
      """)

  @Option(
    help: ArgumentHelp("The file with a secret key (32 bytes, mode 0600).", valueName: "FILE"),
    completion: .file())
  var identity: String?

  @Flag(help: "Create the key file of --identity if it does not exist, as 'serve' and 'get' do.")
  var create = false

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
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
      throw Failure(Exit.noInput, "\(error); name another key, or create it with --create")
    }
  }
}
