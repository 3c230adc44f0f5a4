// Fetches a file or a folder, and prints its progress and what each peer sent.
//
//   p2pnode serve images --links        # on the machine that has it: prints a LINK for each file
//   swift run --package-path Examples p2pfetch LINK FOLDER
//
// FOLDER must exist.
import Foundation
import P2P

@main struct Main {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else {
      print("usage: p2pfetch LINK FOLDER")
      exit(64)
    }
    let link = try FileLink(parsing: arguments[1])
    let downloader = Downloader(storage: DownloadTarget(folder: arguments[2]), client: PeerClient())
    let download = downloader.start(link)

    // The sequence ends with the download. A program that does not want the progress need not read it.
    for await update in download.updates {
      guard case .progress(let progress) = update, progress.totalChunks > 0 else { continue }
      let percent = 100 * progress.finishedChunks / progress.totalChunks
      print("\(percent) % from \(progress.livePeers) peers, \(Int(progress.bytesPerSecond)) bytes a second")
    }
    do {
      let result = try await download.result()
      let stats: DownloadStats = result.stats
      print("saved \(result.path ?? "nowhere"): \(stats.bytes) bytes in \(stats.totalChunks) chunks")
      let peers: [PeerDownloadStats] = stats.peers
      for peer in peers { print("\(peer.peer.short) sent \(peer.chunks) chunks") }
    } catch {
      // The verified part stays beside the output, and the next run continues with it.
      print("failed: \(error)")
      exit(1)
    }
  }
}
