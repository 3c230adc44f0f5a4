// Counts the memory of all outboxes of a node, and frees some when it is too much.
import Synchronization
import Transfer
import Wire

/// Counts the bytes that wait to be sent on all connections of a node. Any thread may call it.
final class OutboxMemory: Sendable {
  private let budget: OutboxBudget
  private let held = Atomic<Int>(0)

  init(byteCountMax: Int) { budget = OutboxBudget(byteCountMax: byteCountMax) }

  var byteCount: Int { held.load(ordering: .relaxed) }
  func change(by bytes: Int) { held.add(bytes, ordering: .relaxed) }

  /// Whether no message that can wait is sealed any more.
  var isFull: Bool { byteCount >= budget.byteCountMax }
  /// Whether hints are dropped, and connections to peers that do not read are ended.
  var isShort: Bool { budget.isShort(at: byteCount) }
  /// Whether an empty outbox gives up its memory instead of keeping it for the next piece.
  var isScarce: Bool { byteCount > budget.byteCountMax / 2 }

  func ending(_ outboxes: [OutboxBudget.Outbox], loopCount: Int, at now: Instant) -> [ConnectionToken] {
    budget.ending(outboxes, loopCount: loopCount, at: now)
  }
}

extension PeerConnection {
  /// The step in which held memory is counted, in bytes. With it, most events do not change the count.
  private static let countedStep = 4 << 10

  /// Counts the bytes that the connection holds. Call it whenever they may have changed.
  func countOutbox() {
    let hints = peer?.driver.session.hints.byteCount ?? 0
    let held = isClosed ? 0 : (outbound.bytes.isEmpty ? 0 : outbound.bytes.capacity) + hints
    let step = PeerConnection.countedStep
    let counted = (held + step - 1) / step * step
    guard counted != outbound.countedByteCount else { return }
    loop.context.outboxes.change(by: counted - outbound.countedByteCount)
    outbound.countedByteCount = counted
  }

  /// Drops the hints that no other message depends on, because memory is short.
  func dropHints() {
    peer?.driver.session.dropHints()
    countOutbox()
  }

  /// Drops the waiting bytes and ends the connection, because memory is short and the peer does not read.
  func endUnread() {
    leaveSwarms()  // before the other peers learn that it has gone
    if !isFinishing { report(.local(.tooSlow, "memory is short, and it does not take what it asked for")) }
    close()
  }
}

extension NetworkLoop {
  /// Frees memory in the outboxes of this loop, because those of the node together hold too much.
  func relieveMemory() {
    for connection in connections.values { connection.dropHints() }
    let outboxes = connections.values.map {
      OutboxBudget.Outbox(reader: $0.token, byteCount: $0.outbound.countedByteCount, taken: $0.timers.lastSentAt)
    }
    for token in context.outboxes.ending(outboxes, loopCount: context.mailboxes.count, at: now) {
      connections[token]?.endUnread()
    }
  }
}
