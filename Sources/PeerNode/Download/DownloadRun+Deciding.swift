// Gives events to a download's state machine, within the download limit of the node, and reports waits for peers.
import Posix
import Transfer

extension DownloadRun {
  /// Gives an event to the state machine, which requests within the download limit of the node. After a new connection
  /// it also gets the zone of the peer.
  func decide(_ event: DownloadEvent, at now: Instant) {
    state.requestPace = nodeConnections.limiter.pace(of: link.id, at: now)
    state.handle(event, at: now)
    if case .connected(let id, _, _, _) = event, let zone = connections.zone(of: id) {
      state.handle(.zone(id, zone), at: now)
    }
    nodeConnections.limiter.take(state.requestPace, of: link.id, at: now)
  }

  /// Applies a changed download limit of the node.
  func limitChanged(at now: Instant) { if isFetching { decide(.timerFired, at: now) } }

  /// Reports a wait for peers once a second, and reports its end.
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
