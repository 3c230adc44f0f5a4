// A download that shares its file while strangers open and close the file without end.
import Content
import Posix
import TestSupport
import Wire

extension Case {
  static let openings: [Case] = [(Size.many, isLong: false), (.pages, isLong: true)].map { size, isLong in
    Case(
      "get \(size.rawValue)x\(Bench.openerCount) inbound: OPEN and CLOSE without end",
      "a file that is opened and closed again and again costs a download neither time nor memory",
      isLong: isLong, isAlone: true, size: size
    ) { try $0.downloadWhileOpened(size) }
  }
}

extension Bench {
  fileprivate static let openerCount = 4
  /// What each stranger sends: about 5,000 OPENs per second.
  fileprivate static let openerBytesPerSecond = 256 << 10
  fileprivate static let pairsAtATime = 100
  /// With fewer OPENs the case proves nothing.
  private static let opensMin = 10_000

  fileprivate func downloadWhileOpened(_ size: Size) throws -> Outcome {
    let reference = try size.reference(self)
    let file = size.sample.file
    let honest = try serveHonestly(size)
    let getting = try get(file, from: [honest.peer])
    let startedAt = Clock.seconds
    guard let listener = getting.listener() else { throw Missing("the download listens nowhere: \(getting.ending)") }
    let sources = crowdAddresses(Bench.openerCount)
    let load = Load(threads: Bench.openerCount) { load, i in
      load.again(pausing: 20) {
        let peer = try established(listener, from: sources[i], listenPort: 9_800)
        try load.openAndClose(peer, file)
      }
    }
    atEnd { load.stop() }
    let limit = 1.5 * reference.seconds + Double(2 * (Bench.openerCount + 1)) + 12
    _ = getting.child.wait(within: limit - (Clock.seconds - startedAt))
    load.stop()
    var outcome = judge(getting, reference, honest)
    outcome.expect(load.count.value >= Bench.opensMin, "the strangers sent \(load.count.value) OPENs only")
    outcome.note = "\(load.count.value) OPENs"
    return outcome
  }
}

extension Load {
  /// Closes and opens a file repeatedly once the downloader offers it, until the other end closes.
  fileprivate func openAndClose(_ peer: ScriptedPeer, _ file: HostileFile) throws {
    let open = peer.openMessage(file.fileID)
    try peer.send(open)
    while true {
      if case .opened = try peer.receive().message { break }
    }
    let pair = Message.close(ScriptedPeer.handle).frame + open.frame
    let frames = (0..<Bench.pairsAtATime).flatMap { _ in pair }
    while !isOver {
      try peer.send(frames: frames)
      count.add(Bench.pairsAtATime)
      _ = try peer.socket.discardReceived()
      pause(milliseconds: Int32(frames.count * 1_000 / Bench.openerBytesPerSecond))
    }
  }
}
