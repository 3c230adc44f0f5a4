// Writes the events of a node as log lines.
import Logging
import P2P

/// Writes the events of a node to a logger.
///
/// A peer that knows a fileID may read the file, so a line has only its first digits. Names and texts come from peers
/// and file systems, so they are escaped: a log may be read on a terminal.
public struct NodeLog: Sendable {
  private let logger: Logger

  public init(_ logger: Logger) { self.logger = logger }

  /// Writes each event of a sequence until it ends, and how many events were lost.
  public func follow(_ events: NodeEvents) async { await follow(events) { events.lostCount } }

  /// - `lostCount`: returns the number of events lost so far.
  func follow(_ events: some AsyncSequence<NodeEvent, Never>, lostCount: () -> Int) async {
    var lost = 0
    for await event in events {
      note(event)
      let lostNow = lostCount()
      if lostNow > lost { logger.warning("events of peers were lost", metadata: ["count": "\(lostNow - lost)"]) }
      lost = lostNow
    }
  }

  /// Writes an event of a node.
  public func note(_ event: NodeEvent) {
    switch event {
    case .connected(let peer, let address):
      logger.debug("a peer has connected", metadata: of(peer, address))
    case .disconnected(let peer, let address, let end):
      log(end, "a connection has ended", of(peer, address))
    case .turnedAway(let address, let end):
      logger.debug("a connection has ended before its handshake was done", metadata: of(nil, address, reason: "\(end)"))
    case .opened(let peer, let address, let path):
      logger.info("a peer asks for a file", metadata: of(peer, address).merging(at(path)) { $1 })
    case .uploaded(let peer, let address, let path, let bytes, let duration):
      logger.info(
        "a peer was sent a file",
        metadata: of(peer, address).merging(at(path)) { $1 }.merging(["bytes": "\(bytes)", "duration": "\(duration)"]) {
          $1
        })
    case .withdrawn(let path, let reason):
      logger.notice("a file is no longer offered", metadata: at(path, reason: reason))
    case .cannotAccept(let error):
      logger.error("the system refuses new connections", metadata: ["reason": text("\(error)")])
    case .notDiscoverable(let reason):
      logger.warning("other nodes cannot find this one", metadata: ["reason": text(reason)])
    }
  }

  /// Writes an event of a served folder.
  public func note(_ event: CatalogueEvent, in folder: String) {
    let place: Logger.Metadata = ["folder": text(folder)]
    switch event {
    case .added(let entry):
      logger.trace(
        "a file is offered",
        metadata: place.merging(at(entry.path)) { $1 }.merging([
          "bytes": "\(entry.length)", "file": short(entry.fileID),
        ]) {
          $1
        })
    case .skipped(let file):
      logger.warning(
        "a file cannot be served", metadata: place.merging(at(file.path, reason: "\(file.reason)")) { $1 })
    case .warning(let warning):
      logger.warning("a folder needs attention", metadata: place.merging(["reason": text(warning)]) { $1 })
    case .renamed, .listed, .unlisted, .leftOut, .progress, .hashingEnded: break
    }
  }

  func started(_ node: Node) {
    logger.info(
      "the node runs",
      metadata: ["peer": "\(node.peerID.hex)", "address": "\(node.address.map { "\($0)" } ?? "none")"])
  }

  func serves(_ share: FolderShare) {
    let (files, bytes) = share.served
    logger.info(
      "a folder is served", metadata: ["folder": text(share.path), "files": "\(files)", "bytes": "\(bytes)"])
  }

  func cannotServe(_ folder: String, _ error: any Error) {
    logger.error("a folder cannot be served", metadata: ["folder": text(folder), "reason": text("\(error)")])
  }

  func stopped(_ node: Node) {
    logger.info("the node has stopped", metadata: ["uploadedBytes": "\(node.uploadedBytes)"])
  }

  /// Logs the end of a connection. Only violations and wrong data are warnings.
  private func log(_ end: ConnectionEnd, _ message: Logger.Message, _ metadata: Logger.Metadata) {
    let level: Logger.Level =
      switch end {
      case .lied, .violation: .warning
      case .local, .remote, .broken, .truncated, .silent, .handshake, .withdrawn, .refused: .debug
      }
    logger.log(level: level, message, metadata: metadata.merging(["reason": text("\(end)")]) { $1 })
  }

  private func of(_ peer: PeerID?, _ address: Endpoint, reason: String? = nil) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["address": "\(address)"]
    if let peer { metadata["peer"] = "\(peer.hex)" }
    if let reason { metadata["reason"] = text(reason) }
    return metadata
  }

  private func at(_ path: String, reason: String? = nil) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["path": text(path)]
    if let reason { metadata["reason"] = text(reason) }
    return metadata
  }

  private func text(_ text: String) -> Logger.MetadataValue { "\(SuggestedName.escapedForTerminal(text))" }

  private func short(_ fileID: FileID) -> Logger.MetadataValue { "\(fileID.hex.prefix(8))" }
}
