// A log that tests can read, and a folder for one test.
import Foundation
import Logging
import Synchronization

/// The lines of a log, in order. A test can wait for a line.
final class RecordedLog: Sendable {
  struct Line: Sendable {
    let level: Logger.Level
    let message: String
    let metadata: Logger.Metadata
    /// The whole text that a reader of the log sees.
    var text: String { "\(level) \(message) \(metadata.map { "\($0)=\($1)" }.sorted().joined(separator: " "))" }
  }

  private struct State {
    var lines: [Line] = []
    var waiting: [(message: String, continuation: CheckedContinuation<Line, Never>)] = []
  }
  private let state = Mutex(State())

  var logger: Logger {
    var logger = Logger(label: "test") { _ in Handler(log: self) }
    logger.logLevel = .trace
    return logger
  }

  var lines: [Line] { state.withLock { $0.lines } }

  /// Waits for the first line with this message.
  @discardableResult func line(_ message: String) async -> Line {
    await withCheckedContinuation { continuation in
      let found = state.withLock { state in
        let found = state.lines.first { $0.message == message }
        if found == nil { state.waiting.append((message, continuation)) }
        return found
      }
      if let found { continuation.resume(returning: found) }
    }
  }

  fileprivate func add(_ line: Line) {
    let waiting = state.withLock { state in
      state.lines.append(line)
      let waiting = state.waiting.filter { $0.message == line.message }
      state.waiting.removeAll { $0.message == line.message }
      return waiting
    }
    for one in waiting { one.continuation.resume(returning: line) }
  }

  private struct Handler: LogHandler {
    let log: RecordedLog
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.trace

    func log(event: LogEvent) {
      log.add(Line(level: event.level, message: "\(event.message)", metadata: event.metadata ?? [:]))
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
  }
}

/// A folder for one test, removed at its end.
final class TestFolder: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/p2pservice-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func makeFile(_ name: String, byteCount: Int) throws {
    try Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
      .write(to: URL(fileURLWithPath: path + "/" + name))
  }
}
