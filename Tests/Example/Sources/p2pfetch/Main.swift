// Serves a folder and fetches one of its files from itself, with only the public API of the library.
//
//   p2pfetch FOLDER FILE COPIES
import P2P

@main
struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 4 else {
      print("usage: p2pfetch FOLDER FILE COPIES")
      return
    }
    let (folder, file, copies) = (arguments[1], arguments[2], arguments[3])
    let server = try await Server(
      NodeConfiguration(), folder: folder, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: copies)
    let served = try await server.scanFolder()
    guard let wanted = served.first(where: { $0.path == file }) else {
      print("\(file) is not among the \(served.count) files of \(folder)")
      return
    }

    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port), pinned: server.peerID)
    let downloader = Downloader(storage: DownloadTarget(folder: copies), client: PeerClient(peers: [peer]))
    let download = downloader.start(wanted.fileID)
    var chunks = 0
    for await update in download.updates {
      if case .report(.chunkDone(_, _, let finished, let total, let peer, _, _)) = update {
        chunks += 1
        print("chunk \(finished) of \(total) from \(peer.short)")
      }
    }
    do {
      let stats: DownloadStats = try await download.result().stats
      let peers: [PeerDownloadStats] = stats.peers
      print("fetched: \(stats.bytes) bytes, \(chunks) chunks, \(peers.count) peers")
    } catch {
      print("failed: \(error)")
    }
    await server.stop()
  }
}
