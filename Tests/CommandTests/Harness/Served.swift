// A running `serve` on a free port. Tests wait for the lines that it prints.
import Foundation

struct Served {
  let child: Child
  /// `127.0.0.1:PORT`.
  let address: String
  /// 64 hexadecimal digits.
  let peerID: String

  var shortPeerID: String { String(peerID.prefix(8)) }
  /// The fileIDs of the files served so far, by path.
  var fileIDs: [String: String] { ids.filter { !$0.key.hasSuffix("/") } }
  /// The IDs of the folders served so far, by path, which ends in "/".
  var folderIDs: [String: String] { ids.filter { $0.key.hasSuffix("/") } }

  private var ids: [String: String] {
    var found: [String: String] = [:]
    for line in child.stdout.lines {
      guard let match = line.wholeMatch(of: #/([0-9a-f]{64})  (\d+)  (.*)/#) else { continue }
      found[String(match.3)] = String(match.1)
    }
    return found
  }

  /// Returns the fileID of a served path.
  func fileID(_ path: String) throws -> String {
    guard let fileID = fileIDs[path] else { throw Unexpected("'\(path)' is not served: \(child)") }
    return fileID
  }
}

extension Workbench {
  /// Serves a folder. Returns when all of it is hashed.
  func serve(
    _ folder: String, _ options: String..., at address: String = "127.0.0.1:0", through wrapper: [String] = []
  ) throws -> Served {
    let served = try listen(folder, options, at: address, through: wrapper)
    try line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    return served
  }

  /// Serves a folder. Returns when it listens; it may still be hashing.
  func listen(
    _ folder: String, _ options: [String], at address: String = "127.0.0.1:0", through wrapper: [String] = []
  ) throws -> Served {
    let child = try start(["serve", folder, "--listen", address] + options, through: wrapper)
    let listening = try line(of: child, "'listening on'") { $0.hasPrefix("listening on ") }
    guard let match = listening.wholeMatch(of: #/listening on (127\.0\.0\.1:\d+) as ([0-9a-f]{64})/#) else {
      throw Unexpected("'\(listening)' is no such line")
    }
    return Served(child: child, address: String(match.1), peerID: String(match.2))
  }

  /// Serves a folder with one file, `data.bin`.
  func serveFile(
    byteCount: Int, _ options: String..., seed: UInt64 = 1, folder name: String = "served"
  ) throws -> (served: Served, fileID: String, path: String) {
    let folder = try makeFolder(name)
    let path = try makeFile("\(name)/data.bin", byteCount: byteCount, seed: seed)
    let served = try listen(folder, options)
    try line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    return (served, try served.fileID("data.bin"), path)
  }
}
