// A flag that asks long work to end soon.
import Synchronization

/// Set once, by any thread. Long work checks it now and then.
final class StopFlag: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}
