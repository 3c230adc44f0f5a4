// How a download decides: within the download limit of its node, and with patience.
import Posix
import Transfer

extension DownloadRun {
  /// An event of the brain, which asks within the download limit of the node. Of a new connection, the brain also hears the
  /// zone of its peer.
  func decide(_ event: DownloadEvent, at now: Instant) {
    state.requestPace = nodeConnections.limiter.pace(of: link.id, at: now)
    state.handle(event, at: now)
    if case .connected(let id, _, _, _) = event, let zone = connections.zone(of: id) {
      state.handle(.zone(id, zone), at: now)
    }
    nodeConnections.limiter.take(state.requestPace, of: link.id, at: now)
  }

  /// The download limit of the node is another one.
  func limitChanged(at now: Instant) { if isFetching { decide(.timerFired, at: now) } }

  /// Reports a wait for peers once a second, and its end.
  func reportWait(at now: Instant) {
    guard state.endedWait == nil else { return }
    let wait = state.wait(at: now)
    let isNews =
      wait?.state != reportedWait?.state || wait?.waited.components.seconds != reportedWait?.waited.components.seconds
    guard isNews else { return }
    reportedWait = wait
    onUpdate(.waiting(wait))
  }
}
