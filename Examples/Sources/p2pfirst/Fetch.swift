// The program of the article `Sources/P2P/P2P.docc/FirstProgram.md`: HouseTests compares the two.
//
//   swift run --package-path Examples p2pfirst FILEID HOST:PORT FOLDER KEYFILE
import Dispatch
import Foundation
import P2P

@main struct Fetch {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 5, let fileID = FileID(hex: arguments[1]), let peer = PeerSource(parsing: arguments[2])
    else {
      print("usage: fetch FILEID HOST:PORT FOLDER KEYFILE")
      exit(64)
    }
    let configuration = NodeConfiguration(identity: try StaticIdentity(file: arguments[4]))
    let downloader = Downloader(
      storage: DownloadTarget(folder: arguments[3]), client: PeerClient(peers: [peer], configuration: configuration))

    // Ctrl-C ends the download and keeps what is verified.
    signal(SIGINT, SIG_IGN)
    let interrupt = DispatchSource.makeSignalSource(signal: SIGINT)
    interrupt.setEventHandler { @Sendable in downloader.cancel() }
    interrupt.resume()

    do {
      let result = try await downloader.downloadFile(fileID)
      print("saved \(result.path ?? "nowhere")")
    } catch {
      print(error.isCancelled ? "interrupted: the same command goes on from here" : "failed: \(error)")
      exit(error.isCancelled ? 130 : 1)
    }
    interrupt.cancel()
  }
}
