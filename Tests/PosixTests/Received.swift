// Bytes that another thread collects.
import Synchronization

final class Received: Sendable {
  private let collected = Mutex<[UInt8]>([])
  var bytes: [UInt8] { collected.withLock { $0 } }
  func append(_ more: ArraySlice<UInt8>) { collected.withLock { $0 += more } }
}
