// Folders and files that stay open for a while, and the bound on how many do.
import Content
import Posix
import Synchronization

/// An open folder that several threads share.
final class OpenFolder: Sendable {
  let directory: Directory

  init(_ directory: consuming Directory) { self.directory = directory }

  /// Opens a folder in this one; never through a link.
  func openFolder(_ name: String) throws(Errno) -> OpenFolder {
    OpenFolder(try directory.openDirectory(beneath: name))
  }
}

/// Open things by key: when another one is opened and there are `countMax`, the one that was used least recently is
/// dropped. It is closed once no thread uses it.
final class DescriptorCache<Key: Hashable & Sendable, Value: AnyObject & Sendable>: Sendable {
  private struct State {
    var values: [Key: (value: Value, lastUse: UInt64)] = [:]
    var useCount: UInt64 = 0
  }

  private let countMax: Int
  private let state = Mutex(State())

  init(countMax: Int) { self.countMax = countMax }

  /// The value of a key; opened if it is not open. If two threads open it at once, both get the first one.
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

  /// Drops all that is open.
  func removeAll() { state.withLock { $0.values = [:] } }

  var count: Int { state.withLock { $0.values.count } }

  /// The value of a key; nil if it is not open.
  func value(for key: Key) -> Value? {
    state.withLock { state in
      state.useCount += 1
      state.values[key]?.lastUse = state.useCount
      return state.values[key]?.value
    }
  }
}
