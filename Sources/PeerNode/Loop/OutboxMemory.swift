// Counts the memory of all outboxes of a node, and makes room when it is too much.
import Synchronization
import Transfer
import Wire

/// Counts the bytes of all connections of a node that wait to be sent. Guards itself.
final class OutboxMemory: Sendable {
  private let budget: OutboxBudget
  private let held = Atomic<Int>(0)

  init(byteCountMax: Int) { budget = OutboxBudget(byteCountMax: byteCountMax) }

  var byteCount: Int { held.load(ordering: .relaxed) }
  func change(by bytes: Int) { held.add(bytes, ordering: .relaxed) }

  /// Nothing more is sealed that can wait.
  var isFull: Bool { byteCount >= budget.byteCountMax }
  /// Hints are dropped, and connections whose peers do not read end.
  var isShort: Bool { budget.isShort(at: byteCount) }
  /// An outbox that is empty keeps no memory for the next piece.
  var isScarce: Bool { byteCount > budget.byteCountMax / 2 }

  func ending(_ outboxes: [OutboxBudget.Outbox], loopCount: Int, at now: Instant) -> [ConnectionToken] {
    budget.ending(outboxes, loopCount: loopCount, at: now)
  }
}

extension PeerConnection {
  /// The step in which held memory is counted, in bytes: most events change nothing.
  private static let countedStep = 4 << 10

  /// Counts the bytes that the connection holds, after they may have changed.
  func countOutbox() {
    let hints = peer?.driver.session.hints.byteCount ?? 0
    let held = isClosed ? 0 : (outbound.bytes.isEmpty ? 0 : outbound.bytes.capacity) + hints
    let step = PeerConnection.countedStep
    let counted = (held + step - 1) / step * step
    guard counted != outbound.countedByteCount else { return }
    loop.context.outboxes.change(by: counted - outbound.countedByteCount)
    outbound.countedByteCount = counted
  }

  /// Memory is short: drops the hints that no other message depends on.
  func dropHints() {
    peer?.driver.session.dropHints()
    countOutbox()
  }

  /// Memory is short, and the peer does not read: the bytes that wait for it are dropped, and the connection ends.
  func endUnread() {
    leaveSwarms()  // before the others hear that it has gone
    if !isFinishing { report(.local(.tooSlow, "memory is short, and it does not take what it asked for")) }
    close()
  }
}

extension NetworkLoop {
  /// Makes room when the outboxes of the node hold too much: in this loop's share of them.
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
