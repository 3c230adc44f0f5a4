// Decides what a download that waits for peers prints, and how often.
import CommandSettings
import PeerNode
import Posix
import Transfer

extension PeerPatience {
  /// - `wait`: the value of the setting. Nil: no patience.
  init(_ wait: Stay?) {
    switch wait {
    case nil, .seconds(0): self = .none
    case .seconds(let count): self = .upTo(.seconds(count))
    case .forever: self = .forever
    }
  }
}

extension PeerWait {
  /// What the download waits for, for how long, and what it does next. Without a full stop, as part of a line.
  var words: String {
    var words = "waiting for \(state.words): \(timeWords)"
    if let limit { words += " of \(PeerWait.time(limit))" }
    guard let dial = nextDial else { return words }
    let address = Endpoint(dial.address)
    guard dial.delay > .zero else { return words + ", dialling \(address)" }
    return words + ", dialling \(address) again in \(PeerWait.time(dial.delay))"
  }

  /// The words as the start of a line.
  var sentence: String { words.prefix(1).uppercased() + words.dropFirst() }

  /// How long it has waited, in whole seconds, rounded down.
  var timeWords: String { Format.time(seconds: Format.seconds(waited).rounded(.down)) }

  private static func time(_ duration: Duration) -> String {
    Format.time(seconds: Format.seconds(duration).rounded(.up))
  }
}

extension PeerWait.State {
  fileprivate var words: String {
    switch self {
    case .anyPeer: "a peer that has it"
    case .peerWithRest: "a peer that has the rest"
    case .progress: "a peer that sends data"
    case .chunk(let chunk): "a peer that can give chunk \(chunk.rawValue)"
    case .page: "a peer that can give the chunk hashes"
    }
  }

  /// The state as programs read it.
  var word: String {
    switch self {
    case .anyPeer: "noPeer"
    case .peerWithRest: "peersGone"
    case .progress: "noProgress"
    case .chunk, .page: "outOfRetries"
    }
  }
}

/// Limits the lines about waiting: at once, after 10 s, and then each time that the wait has doubled, but at least
/// every ten minutes.
struct WaitPace {
  private static let first = Duration.seconds(10)
  private static let pauseMax = Duration.seconds(600)

  private var said: (state: PeerWait.State, waited: Duration)?
  private var next = Duration.zero

  /// Returns whether to print this wait now.
  mutating func isDue(_ wait: PeerWait) -> Bool {
    if let said, wait.waited < said.waited { (self.said, next) = (nil, .zero) }  // there was progress in between
    let isOther = said.map { $0.state != wait.state && wait.waited - $0.waited >= WaitPace.first } ?? true
    guard isOther || wait.waited >= next else { return false }
    said = (wait.state, wait.waited)
    next = wait.waited + min(max(wait.waited, WaitPace.first), WaitPace.pauseMax)
    return true
  }
}

/// The events of a download that waits, as rare as its lines.
struct WaitEvents {
  private var pace = WaitPace()
  private var isWaiting = false

  /// - `wait`: nil if the download no longer waits.
  mutating func line(for wait: PeerWait?) -> JSONLine? {
    var line = JSONLine(event: "waiting")
    guard let wait else {
      line.set("state", "over")
      defer { isWaiting = false }
      return isWaiting ? line : nil
    }
    guard pace.isDue(wait) else { return nil }
    isWaiting = true
    line.set("state", wait.state.word)
    line.set("seconds", Format.seconds(wait.waited))
    if let limit = wait.limit { line.set("limit", Format.seconds(limit)) }
    if let dial = wait.nextDial {
      line.set("address", Endpoint(dial.address).description)
      line.set("delay", Format.seconds(dial.delay))
    }
    return line
  }
}
