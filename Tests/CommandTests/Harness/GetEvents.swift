// The events of `get --json`: which peer sent which chunks, and the numbers at the end.
import Foundation

struct GetEvents {
  let all: [[String: Any]]

  /// Reads the events of a get that may have been killed while it wrote.
  init(_ get: Child) throws {
    all = try get.stdout.lines.map { line in
      guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        throw Unexpected("no JSON object: \(line)")
      }
      return object
    }
  }

  func named(_ name: String) -> [[String: Any]] { all.filter { $0["event"] as? String == name } }

  /// Chunks in the order in which they were verified and written.
  var chunks: [Int] { named("chunk").compactMap { $0["chunk"] as? Int } }

  /// Returns a number of the last event.
  func number(_ name: String) -> Int? { all.last?[name] as? Int }

  /// Returns the statistics of a peer in the last event.
  func peer(_ peerID: String) -> [String: Any]? {
    (all.last?["peers"] as? [[String: Any]])?.first { $0["peer"] as? String == peerID }
  }

  func number(_ name: String, of peerID: String) -> Int? { peer(peerID)?[name] as? Int }
}

/// Whether tests run at full size, which takes many minutes, or only as long as a build allows.
enum Extent {
  /// Downloads take as long as real ones: P2PNODE_SCENARIOS=full.
  static let isFull = ProcessInfo.processInfo.environment["P2PNODE_SCENARIOS"] == "full"
  /// Crashes at each place instead of some: P2PNODE_CRASHES=all.
  static let isEveryCrash = ProcessInfo.processInfo.environment["P2PNODE_CRASHES"] == "all"
}
