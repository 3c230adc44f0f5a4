// The status of each connection, readable by other threads than its loop's. Loops write it; readers get a copy.
import Posix
import Synchronization
import Transfer
import Wire

/// The status of one connection. Its own loop writes it, and any thread may read it.
final class ConnectionRecord: Sendable {
  private let id: UInt64
  private let peer: PeerID
  private let address: Endpoint
  private let startNanoseconds: Int64
  private let paths = Mutex<[FileHandle: String]>([:])
  private let sentBytes = Atomic<UInt64>(0)
  /// The handle whose bytes were sent last; `none` before the first.
  private let sending = Atomic<UInt64>(ConnectionRecord.none)
  private static let none = UInt64.max

  init(id: UInt64, peer: PeerID, address: Endpoint, startNanoseconds: Int64) {
    (self.id, self.peer, self.address, self.startNanoseconds) = (id, peer, address, startNanoseconds)
  }

  /// Notes the path under which a handle is open; nil: the handle is closed.
  func open(_ handle: FileHandle, path: String?) { paths.withLock { $0[handle] = path } }

  /// Counts file bytes that were sealed for the peer.
  func sent(_ byteCount: Int, of handle: FileHandle) {
    sentBytes.add(UInt64(byteCount), ordering: .relaxed)
    sending.store(UInt64(handle.rawValue), ordering: .relaxed)
  }

  func status(at nanoseconds: Int64) -> ServerStatus.Connection {
    let paths = paths.withLock { $0 }
    let sending = UInt32(exactly: sending.load(ordering: .relaxed)).flatMap { paths[FileHandle($0)] }
    return ServerStatus.Connection(
      id: id, peer: peer, address: address, duration: .nanoseconds(max(0, nanoseconds - startNanoseconds)),
      uploadedBytes: sentBytes.load(ordering: .relaxed), openPaths: paths.values.sorted(), sendingPath: sending)
  }
}

/// The records of all admitted connections of a node. Any thread may call it.
final class ConnectionRecords: Sendable {
  private struct State {
    /// With the number of each record in the order of admission.
    var order: [ConnectionToken: (number: UInt64, record: ConnectionRecord)] = [:]
    var admitted: UInt64 = 0
    var turnedAway: UInt64 = 0
  }
  private let state = Mutex(State())

  /// Adds the record of a connection that was admitted.
  func enter(_ token: ConnectionToken, _ peer: PeerID, _ address: Endpoint) -> ConnectionRecord {
    state.withLock { state in
      state.admitted += 1
      let record = ConnectionRecord(
        id: state.admitted, peer: peer, address: address, startNanoseconds: Clock.monotonicNanoseconds)
      state.order[token] = (state.admitted, record)
      return record
    }
  }

  /// Removes the record of a connection that has ended.
  func leave(_ token: ConnectionToken) { state.withLock { _ = $0.order.removeValue(forKey: token) } }

  /// Counts a connection that ended before it was admitted.
  func turnedAway() { state.withLock { $0.turnedAway += 1 } }

  var totals: (admitted: UInt64, turnedAway: UInt64) { state.withLock { ($0.admitted, $0.turnedAway) } }

  var connections: [ServerStatus.Connection] {
    let records = state.withLock { state in state.order.values.sorted { $0.number < $1.number }.map(\.record) }
    let now = Clock.monotonicNanoseconds
    return records.map { $0.status(at: now) }
  }
}
