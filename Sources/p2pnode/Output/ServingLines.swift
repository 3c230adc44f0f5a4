// The lines that `serve` and `send` share, so that the same event has the same words.
import Content
import PeerNode
import Posix
import Storage
import Wire

/// Prints lines on stderr and, with `json`, events on stdout. Any thread may use it.
struct ServingLines: Sendable {
  let json: Bool

  /// Makes a separate thread write the lines from now on.
  func writeApart() {
    Console.writeApart(
      dropped: { count, stream in
        if stream == .standardError {
          return Console.logged(
            .warning,
            "\(Format.count(count, "line about connections was", "lines about connections were")) left out: this log was not read in time"
          )
        }
        var line = JSONLine(event: "dropped")
        line.set("lines", count)
        return line.finished
      }, outputFailed: ServingLines.outputFailed)
  }

  /// Ends the command if the first line cannot be printed, because then no program learns the IDs. After later
  /// failures, and if the reader closed the pipe, the node still serves peers.
  private static func outputFailed(_ error: Errno, isFirst: Bool) {
    if isFirst, !error.isClosedByPeer {
      // A new thread, because `finish` waits for the thread that writes.
      return Thread.start(name: "p2p-failed") {
        Console.endShow()
        let failure = Failure(writing: error)
        failure.say(json: false)
        Console.finish()
        Process.exit(failure.code)
      }.detach()
    }
    let why = error.isClosedByPeer ? "its reader has closed it" : error.reason.lowercased()
    Console.log(
      .warning, "warning: cannot write to stdout: \(why); lines are lost from now on; peers are still served")
  }

  func listening(_ address: Endpoint, _ peerID: PeerID) {
    tell("listening", .own) { line in
      line.set("address", address.description)
      line.set("peer", peerID.hex)
    }
    Console.log(.info, "listening on \(address) as \(peerID.hex)")
  }

  func stopped(uploadedBytes: UInt64) {
    tell("stopped", .own) { $0.set("uploadedBytes", uploadedBytes) }
    Console.log(uploadedBytes > 0 ? .info : .debug, "uploaded: \(uploadedBytes) bytes")
  }

  func warn(_ text: String) {
    tell("warning", .file) { $0.set("text", text) }
    Console.log(.warning, "warning: \(Console.escaped(text))", .file)
  }

  func skipped(_ skipped: SkippedFile) {
    if json { Console.output(JSONLine(skipped).finished, .file) }
    Console.log(.warning, "left out: \(Console.escaped(skipped.description))", .file)
  }

  /// Prints which peers connect and disconnect, and the problems of the node.
  /// - `withdrawalAdvice`: text after the reason why a file is withdrawn.
  func print(_ event: NodeEvent, withdrawalAdvice: String = "") {
    switch event {
    case .connected(let peer, let address): detail("connected", peer, address, "connected")
    case .disconnected(let peer, let address, let end): detail("disconnected", peer, address, end.description)
    case .turnedAway(let address, let end): detail("turnedAway", nil, address, end.description)
    case .opened(let peer, let address, let path): detail("opened", peer, address, "opens \(path)")
    case .withdrawn(let path, let why):
      tell("withdrawn", .own) { line in
        line.set("path", path)
        line.set("reason", why)
      }
      Console.log(.warning, Console.escaped(why) + withdrawalAdvice)
    case .notDiscoverable(let why): warn(why)
    case .cannotAccept(let errno):
      Console.log(.error, "cannot accept connections now: \(errno); trying again in a second", .stranger)
    case .uploaded: break  // `serve` and `send` print their own words for it
    }
  }

  private func detail(_ event: String, _ peer: PeerID?, _ address: Endpoint, _ text: String) {
    tell(event, .stranger) { line in
      if let peer { line.set("peer", peer.hex) }
      line.set("address", address.description)
      line.set("text", text)
    }
    Console.log(.debug, "[\(peer?.short ?? "--------")] \(address): \(Console.escaped(text))", .stranger)
  }

  /// Prints an event, if programs read stdout.
  func tell(_ event: String, _ kind: LineBacklog.Kind, _ fill: (inout JSONLine) -> Void) {
    guard json else { return }
    var line = JSONLine(event: event)
    fill(&line)
    Console.output(line.finished, kind)
  }
}
