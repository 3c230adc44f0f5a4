// The screen of a running `get`, and the few events that get a permanent line above it.
import PeerNode
import Posix
import Transfer
import Wire

final class GetDisplay: DownloadObserver {
  private var screen = GetScreen()
  private var trouble = PeerTrouble()

  init() { Console.show { _, _ in [ScreenLine("looking for peers that have the file", .dim)] } }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .listing(let length):
      Console.show { _, _ in [ScreenLine("a folder: fetching its listing (\(Format.size(length)))", .dim)] }
    case .prepared(let name, let length):
      (screen.name, screen.length) = (name, length)
      Console.show { _, _ in [ScreenLine("\(Console.escaped(name)): checking what is already on the disk", .dim)] }
    case .waiting(let wait): waits(wait)
    case .progress(let progress): Console.show { screen.render(progress, $0, $1) }
    case .resumed(_, let bytes): screen.resumedBytes += bytes
    case .report(.peerBanned), .unresolved: trouble.see(update)
    case .peerEnded(let address, _, let end):
      trouble.see(update)
      screen.lastEnd = "\(address): \(Console.escaped(end.description))"
    case .staying: Console.endShow()
    case .planned, .files, .report, .resolved, .searched, .found, .listening, .unreadable: break
    }
  }

  private func waits(_ wait: PeerWait?) {
    screen.wait = wait
    // Otherwise the progress shows the wait.
    guard screen.name.isEmpty, let wait else { return }
    Console.show { [GetScreen.line(wait, $0, $1)] }
  }

  func ended(_ result: DownloadResult) { Console.endShow() }
  func failed(_ error: DownloadError, _ failure: Failure) { Console.endShow() }
}

/// The lines about peers that stay above a screen. Each is printed once.
struct PeerTrouble {
  /// The last words about each peer. A peer that is dialled again and again must not fill the terminal.
  private var said: [String: String] = [:]
  /// The most peers to remember. At this number, all are forgotten.
  private static let saidMax = 256

  mutating func see(_ update: DownloadUpdate) {
    switch update {
    case .report(.peerBanned(let peer)): say(peer.short, " is banned: it sent wrong data")
    case .unresolved(let source, let reason): say("\(source)", ": \(reason); the name is looked up again")
    case .peerEnded(_, _, .lied): break  // its ban is reported
    case .peerEnded(let address, let peer, let end):
      say("\(peer.map { "\($0.short) at " } ?? "")\(address)", ": \(Console.escaped(end.description))")
    default: break
    }
  }

  private mutating func say(_ peer: String, _ words: String) {
    guard said[peer] != words else { return }
    if said.count >= PeerTrouble.saidMax { said = [:] }
    said[peer] = words
    Console.error("Peer \(peer)\(words)")
  }
}
