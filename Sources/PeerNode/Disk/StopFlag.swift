// A wish that long work ends soon.
import Synchronization

/// Set once, by any thread; long work looks at it now and then.
final class StopFlag: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}
