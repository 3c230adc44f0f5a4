// What `get --json` said: which chunks came from whom, and the numbers at its end.
import Foundation

struct GetEvents {
  let all: [[String: Any]]

  /// Of a get that may have been killed while it wrote.
  init(_ get: Child) throws {
    all = try get.stdout.lines.map { line in
      guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        throw Unexpected("no JSON object: \(line)")
      }
      return object
    }
  }

  func named(_ name: String) -> [[String: Any]] { all.filter { $0["event"] as? String == name } }

  /// Chunks in the order in which they were finished: verified and written.
  var chunks: [Int] { named("chunk").compactMap { $0["chunk"] as? Int } }

  /// Of its end.
  func number(_ name: String) -> Int? { all.last?[name] as? Int }

  /// What its end says of a peer, by its PeerID.
  func peer(_ peerID: String) -> [String: Any]? {
    (all.last?["peers"] as? [[String: Any]])?.first { $0["peer"] as? String == peerID }
  }

  func number(_ name: String, of peerID: String) -> Int? { peer(peerID)?[name] as? Int }
}

/// Whether tests run at their full size, which takes many minutes, instead of as long as a build has time for.
enum Extent {
  /// The times of real downloads: P2PNODE_SCENARIOS=full.
  static let isFull = ProcessInfo.processInfo.environment["P2PNODE_SCENARIOS"] == "full"
  /// Crashes at every place instead of some: P2PNODE_CRASHES=all.
  static let isEveryCrash = ProcessInfo.processInfo.environment["P2PNODE_CRASHES"] == "all"
}
