// The screen of a running `get`, and the few events that deserve a line that stays above it.
import PeerNode
import Posix
import Transfer
import Wire

final class GetDisplay: DownloadObserver {
  private var screen = GetScreen()
  /// Said of an address once: a peer that is dialled again and again does not fill the terminal.
  private var said: [Endpoint: String] = [:]
  /// Addresses that are remembered for that; then all are forgotten.
  private static let saidMax = 256

  init() { Console.show { _, _ in [ScreenLine("looking for peers that have the file", .dim)] } }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .listing(let length):
      Console.show { _, _ in [ScreenLine("a folder: fetching its listing (\(Format.size(length)))", .dim)] }
    case .prepared(let name, let length):
      (screen.name, screen.length) = (name, length)
      Console.show { _, _ in [ScreenLine("\(Console.escaped(name)): looking at what is here", .dim)] }
    case .progress(let progress): Console.show { screen.render(progress, $0, $1) }
    case .resumed(_, let bytes): screen.resumedBytes += bytes
    case .report(.peerBanned(let peer)): Console.error("Peer \(peer.short) is banned: it sent wrong data")
    case .unresolved(let source, let reason): Console.error("Peer \(source): \(reason); it is looked up again")
    case .peerEnded(let address, let peer, let end): ended(address, peer, end)
    case .staying: Console.endShow()
    case .planned, .report, .resolved, .searched, .found, .listening, .unreadable: break
    }
  }

  func ended(_ result: DownloadResult) { Console.endShow() }
  func failed(_ error: DownloadError, _ failure: Failure) { Console.endShow() }

  private func ended(_ address: Endpoint, _ peer: PeerID?, _ end: ConnectionEnd) {
    if case .lied = end { return }  // its ban is said
    let words = Console.escaped(end.description)
    guard said[address] != words else { return }
    if said.count >= GetDisplay.saidMax { said = [:] }
    said[address] = words
    Console.error("Peer \(peer.map { "\($0.short) at " } ?? "")\(address): \(words)")
  }
}
