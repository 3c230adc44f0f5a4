// The first program of docs/embedding.md as top-level code. HouseTests compares the two.
//
//   swift run --package-path Examples p2preadme IMAGES STATE COPIES
//
// IMAGES must have a file disk.img.
import P2P

let (images, state, copies) = (CommandLine.arguments[1], CommandLine.arguments[2], CommandLine.arguments[3])
// EMBEDDING
let server = try await Server(
  NodeConfiguration(), folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: state)
for file in try await server.scanFolder() { print("\(file.fileID.hex)  \(file.path)") }

let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port), pinned: server.peerID)
let downloader = Downloader(
  storage: DownloadTarget(folder: copies), client: PeerClient(peers: [peer]),
  maxWorkers: 8, maxRetries: 3, chunkTimeout: .seconds(30))
let download = downloader.start(try await fileID(of: images + "/disk.img"))
for await update in download.updates {
  if case .progress(let progress) = update { print("\(progress.finishedChunks) of \(progress.totalChunks)") }
}
let result = try await download.result()
print("\(result.name): \(result.stats.totalChunks) chunks in \(result.stats.duration)")

await server.stop()
// EMBEDDING
