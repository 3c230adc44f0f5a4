// Serves a folder and fetches a file at the same time, in one process: with one port, one PeerID and one set of threads.
//
//   p2pnode serve images --links        # on another machine: prints a LINK for each file
//   swift run --package-path Examples p2pboth OWN STATE LINK COPIES 0.0.0.0:9801
//
// It serves the folder OWN at this address until you press Enter, and writes the file to the folder COPIES. The folder STATE
// keeps the hashes of the files in OWN for the next start. All three must exist.
import Foundation
import P2P

@main struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 6, let place = HostPort(parsing: arguments[5]),
      let listen = Endpoint(numericHost: place.host, port: place.port)
    else {
      print("usage: p2pboth OWN STATE LINK COPIES ADDRESS:PORT")
      exit(64)
    }
    let (own, state, copies) = (arguments[1], arguments[2], arguments[4])
    let link = try FileLink(parsing: arguments[3])

    // `withNode` stops the node at its end, also when an error is thrown.
    try await withNode(NodeConfiguration(), listen: listen) { node in
      let share = try await node.share(own, stateFolder: state)
      for file in try await share.scan() { print("serves \(file.fileID.hex) \(file.path)") }
      print("listens on \(node.address.map { "\($0)" } ?? "no port")")

      // Meanwhile other peers can fetch the served files, and the verified parts of this one.
      let download = node.download(
        link.fileID, length: link.length, from: link.peers.map(PeerSource.init),
        to: DownloadTarget(folder: copies, name: link.name))
      let result = try await download.result()
      print("saved \(result.path ?? "nowhere"): \(result.stats.bytes) bytes")
      _ = readLine()
      print("sent \(node.uploadedBytes) bytes to other peers")
    }
  }
}
