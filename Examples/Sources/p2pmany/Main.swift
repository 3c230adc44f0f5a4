// Runs a node for each FOLDER, and one node that serves OWN and fetches all files of the others at once, through one port.
//
//   swift run --package-path Examples p2pmany OWN FOLDER… COPIES
//
// It uses only the public API of the library.
import P2P

@main
struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count >= 3, let own = arguments.first, let copies = arguments.last else {
      print("usage: p2pmany OWN FOLDER... COPIES")
      return
    }
    let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: 0)

    // The other nodes: each serves one folder.
    var others: [Node] = []
    var wanted: [CatalogueEntry] = []
    for folder in arguments.dropFirst().dropLast() {
      let node = try Node(NodeConfiguration(), listen: loopback)
      wanted += try await node.share(folder, stateFolder: copies).scan()
      others.append(node)
    }
    let peers = others.compactMap { node in
      node.address.map { PeerSource(host: HostPort(host: "127.0.0.1", port: $0.port), pinned: node.peerID) }
    }

    // This node serves and fetches. Every peer is asked for every file, over one connection to each.
    let node = try Node(NodeConfiguration(), listen: loopback)
    let share = try await node.share(own, stateFolder: copies)
    print("serves \(try await share.scan().count) files")
    let downloads = wanted.map { file in
      node.download(file.fileID, from: peers, to: DownloadTarget(folder: copies, name: file.name))
    }
    for download in downloads {
      do {
        let result = try await download.result()
        print("fetched \(result.name): \(result.stats.bytes) bytes")
      } catch {
        print("failed: \(error)")
      }
    }

    // Meanwhile the others can fetch from this node through the same port.
    if let file = share.entries.first, let address = node.address, let other = others.first {
      let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: address.port), pinned: node.peerID)
      let result = try await other.download(
        file.fileID, from: [peer], to: DownloadTarget(folder: copies, name: file.name)
      ).result()
      print("gave \(result.name): \(result.stats.bytes) bytes")
    }
    for node in others + [node] { await node.stop() }
  }
}
