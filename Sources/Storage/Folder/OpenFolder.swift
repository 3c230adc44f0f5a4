// Keeps folders and files open for a while, in a bounded number.
import Content
import Posix
import Synchronization

/// An open folder that several threads share.
final class OpenFolder: Sendable {
  let directory: Directory

  init(_ directory: consuming Directory) { self.directory = directory }

  /// Opens a folder in this one. Follows no link.
  func openFolder(_ name: String) throws(Errno) -> OpenFolder {
    OpenFolder(try directory.openDirectory(beneath: name))
  }
}

/// Open files or folders by key. When a value is added to a full cache, it drops the value that was not used for the
/// longest time. That value is closed when no thread uses it any more.
final class DescriptorCache<Key: Hashable & Sendable, Value: AnyObject & Sendable>: Sendable {
  private struct State {
    var values: [Key: (value: Value, lastUse: UInt64)] = [:]
    var useCount: UInt64 = 0
  }

  private let countMax: Int
  private let state = Mutex(State())

  init(countMax: Int) { self.countMax = countMax }

  /// Returns the value of a key, and opens it if it is not open. If two threads open it at once, both get the first
  /// one.
  func value<Failure: Error>(for key: Key, open: () throws(Failure) -> Value) throws(Failure) -> Value {
    if let value = value(for: key) { return value }
    let new = try open()
    return state.withLock { state in
      if let value = state.values[key]?.value { return value }
      if state.values.count >= countMax, let oldest = state.values.min(by: { $0.value.lastUse < $1.value.lastUse }) {
        state.values[oldest.key] = nil
      }
      state.useCount += 1
      state.values[key] = (new, state.useCount)
      return new
    }
  }

  /// Drops all values.
  func removeAll() { state.withLock { $0.values = [:] } }

  var count: Int { state.withLock { $0.values.count } }

  /// Returns the value of a key. Nil if it is not open.
  func value(for key: Key) -> Value? {
    state.withLock { state in
      state.useCount += 1
      state.values[key]?.lastUse = state.useCount
      return state.values[key]?.value
    }
  }
}
