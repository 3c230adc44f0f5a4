// The actions of a state machine that the caller has not taken yet.

/// Actions in the order in which they were added. One event adds actions, then the caller takes them all. The array
/// keeps its capacity for the next event.
struct ActionQueue<Action: Sendable>: Sendable {
  private var actions: [Action] = []
  /// The place of the next action in `actions`.
  private var next = 0

  mutating func append(_ action: Action) { actions.append(action) }

  static func += (queue: inout ActionQueue, actions: [Action]) { queue.actions += actions }

  mutating func removeAll() {
    actions.removeAll(keepingCapacity: true)
    next = 0
  }

  /// Nil if no action is left.
  mutating func takeFirst() -> Action? {
    guard next < actions.count else {
      removeAll()
      return nil
    }
    defer { next += 1 }
    return actions[next]
  }
}
