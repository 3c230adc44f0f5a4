// What `print` shows of the events of a node and of a download: a line each, with names made harmless for a terminal.
import Content
import Posix
import Storage
import Transfer
import Wire

extension NodeEvent: CustomStringConvertible {
  public var description: String {
    switch self {
    case .connected(let peer, let address): "\(peer.short) at \(address): connected"
    case .disconnected(let peer, let address, let end): "\(peer.short) at \(address): \(harmless("\(end)"))"
    case .turnedAway(let address, let end): "\(address): turned away, \(harmless("\(end)"))"
    case .opened(let peer, let address, let path): "\(peer.short) at \(address): opens \(harmless(path))"
    case .uploaded(let peer, let address, let path, let bytes, let duration):
      "\(peer.short) at \(address): was sent \(bytes) bytes of \(harmless(path)) in \(duration)"
    case .withdrawn(let path, let reason): "\(harmless(path)) is no longer offered: \(harmless(reason))"
    case .cannotAccept(let errno): "cannot accept connections now: \(errno)"
    case .notDiscoverable(let reason): "some nodes cannot find this one: \(harmless(reason))"
    }
  }
}

extension DownloadUpdate: CustomStringConvertible {
  public var description: String {
    switch self {
    case .listing(let length): "the ID is that of a folder: fetching its listing of \(length) bytes"
    case .prepared(let name, let length): "prepared \(harmless(name)), \(length) bytes"
    case .planned(let plan): "would fetch at most \(plan.fetchedByteCount) bytes for \(plan.items.count) paths"
    case .files(let files):
      "\(files.count == 1 ? "1 file is" : "\(files.count) files are") complete"
        + (files.first.map { ", first \(harmless($0.path))" } ?? "")
    case .report(let report): "\(report)"
    case .progress(let progress):
      "\(progress.finishedChunks) of \(progress.totalChunks) chunks, \(progress.bytes) bytes fetched, "
        + "\(Int64(progress.bytesPerSecond)) bytes a second"
    case .waiting(let wait?): "waiting for peers, since \(wait.waited)"
    case .waiting(nil): "no longer waits for peers"
    case .unresolved(let source, let reason): "\(source) has no address yet: \(harmless(reason))"
    case .resolved(let source, let addresses): "\(source) is \(addresses.map(\.description).joined(separator: ", "))"
    case .searched(let summary): "the search gave \(summary.found) addresses"
    case .peerEnded(let address, let peer, let end):
      "\(peer.map { "\($0.short) at " } ?? "")\(address): \(harmless("\(end)"))"
    case .found(let path): "already complete: \(harmless(path))"
    case .resumed(let chunks, let bytes):
      "resumed: \(chunks == 1 ? "1 chunk was" : "\(chunks) chunks were") there, \(bytes) bytes"
    case .listening(let address): "listening on \(address)"
    case .staying(let result): "complete, and offered to others: \(harmless(result.path ?? result.name))"
    case .unreadable(let error): "no longer offered: \(harmless("\(error)"))"
    }
  }
}

private func harmless(_ text: String) -> String { SuggestedName.escapedForTerminal(text) }
