// `p2pnode link`: prints links, which one person sends to another to fetch a file.
import ArgumentParser
import CommandSettings
import Content
import PeerNode
import Posix
import Storage
import Wire

struct Link: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "link", abstract: "Prints links to files and folders: the ID, and the peers to ask for it.",
    discussion: """
      Hashes each file or folder as 'id' does, and prints its link: one word that 'get' accepts instead of the ID. A \
      link needs no quotes in a shell. 'serve --links' prints the links of all files that it offers.

        p2pnode link images/disk.img --peer 192.0.2.1:9800
      """)

  @Argument(help: ArgumentHelp("Files and folders to hash.", valueName: "FILE"), completion: .file())
  var files: [String]

  @Option(
    help: ArgumentHelp(
      "A peer that has the file (default port \(ProtocolDefaults.port)). May be repeated, up to \(FileLink.peersMax) times.",
      valueName: "[PEERID@]HOST[:PORT]"))
  var peer: [String] = []

  @OptionGroup var contents: FolderOptions

  @OptionGroup var place: ConfigOption

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
  var json = false

  func run() throws {
    guard !files.isEmpty else { throw ValidationError("Name at least one file.") }
    var peers: [FileLink.Peer] = []
    try reporting(json: json) { () throws(Failure) in peers = try linkPeers() }
    try forEach(files, json: json) { file throws(Failure) in
      if Directory.exists(file) { return try printFolder(file, peers) }
      let hash = try hashed(file, json: json)
      let link = FileLink(fileID: hash.fileID, name: PathParts(file).name, length: hash.length, peers: peers)
      guard json else { return Console.output(link.text) }
      var line = JSONLine(event: "link")
      line.set("link", link.text)
      line.set("fileID", hash.fileID.hex)
      line.set("bytes", hash.length)
      line.set("path", file)
      Console.output(line.finished)
    }
  }

  /// Prints the link of a folder. Its length is that of the listing, because the ID commits to that length.
  private func printFolder(_ folder: String, _ peers: [FileLink.Peer]) throws(Failure) {
    let settings = try Settings.inForce(options: contents.given, file: try place.file())
    let hashed = try hashedFolder(folder, settings.rules, json: json)
    let length = hashed.loaded.chunks.fileLength
    let link = FileLink(fileID: hashed.folderID, name: hashed.name, length: length, peers: peers)
    if json {
      var line = JSONLine(event: "link")
      line.set("link", link.text)
      line.set("folderID", hashed.folderID.hex)
      line.set("bytes", hashed.contentsLength)
      line.set("path", folder.hasSuffix("/") ? folder : folder + "/")
      Console.output(line.finished)
    } else {
      Console.output(link.text)
    }
    try hashed.checkIsWhole(folder)
  }

  private func linkPeers() throws(Failure) -> [FileLink.Peer] {
    guard peer.count <= FileLink.peersMax else {
      throw Failure(Exit.usage, "a link names at most \(FileLink.peersMax) peers: leave some out")
    }
    var peers: [FileLink.Peer] = []
    for text in peer {
      let source = try PeerSource(typed: text, by: "--peer")
      guard let peer = FileLink.Peer(host: source.host.host, port: source.host.port, pinned: source.pinned) else {
        throw Failure(
          Exit.usage,
          "--peer '\(Console.escaped(text))' cannot stand in a link: its host must consist of letters, digits, "
            + "'.', '-' and '_', or be an IPv6 address without a zone")
      }
      peers.append(peer)
    }
    return peers
  }
}
