// Sources that send data that is not the file's. Only the sender is blamed, and other sources deliver the file.
import Content
import Posix
import Testing
import Transfer
import Wire
import TestSupport

@testable import PeerNode

@Suite struct LyingSourceTests {
  /// A way to lie.
  struct Lie: Sendable, CustomStringConvertible {
    let description: String
    let script: SourceScript
  }

  static let lies: [Lie] = {
    func lie(_ description: String, _ change: (inout SourceScript) -> Void) -> Lie {
      var script = SourceScript()
      change(&script)
      return Lie(description: description, script: script)
    }
    let wrong = Digest.zero
    return [
      lie("wrong bytes") { $0.onRequest = { try $0.answerWrongly($1, from: $2) } },
      lie("wrong bytes in the last leaf") {
        $0.onRequest = { peer, request, sample in
          var frames = sample.answer(request)
          frames[frames.count - 1][frames[frames.count - 1].count - 1] ^= 0x80
          try peer.send(each: frames)
        }
      },
      lie("wrong leaf hashes") {
        $0.onRequest = { peer, request, sample in
          try peer.send(each: sample.answer(request, changeHashes: { $0[0] = wrong }))
        }
      },
      lie("too few leaf hashes") {
        $0.onRequest = { peer, request, sample in
          try peer.send(each: sample.answer(request, changeHashes: { $0.removeLast() }))
        }
      },
      lie("a wrong page") {
        $0.onPageGet = { peer, get, sample in
          try peer.send(sample.page(get, hashes: { $0.swapAt(0, 1) }))
        }
      },
      lie("a page that is too short") {
        $0.onPageGet = { peer, get, sample in
          try peer.send(sample.page(get, hashes: { $0.removeLast() }))
        }
      },
      lie("a page with an uncle") {
        $0.onPageGet = { peer, get, sample in
          try peer.send(
            .page(
              PageAnswer(
                handle: get.handle, page: get.page, chunkHashes: sample.file.chunkHashes, uncles: [wrong])))
        }
      },
      lie("another root") { $0.onOpen = { try $0.offer($2, as: $1.handle, root: wrong) } },
      lie("another length") { $0.onOpen = { try $0.offer($2, as: $1.handle, length: 1) } },
      lie("an impossible length") { $0.onOpen = { try $0.offer($2, as: $1.handle, length: .max) } },
      lie("an unknown kind") { $0.onOpen = { try $0.offer($2, as: $1.handle, kind: 1) } },
      lie("another chunk size") { $0.onOpen = { try $0.offer($2, as: $1.handle, chunkSizeLog2: 63) } },
      lie("a wrong proof") { $0.onOpen = { try $0.offer($2, as: $1.handle, proof: wrong) } },
      lie("our own proof, sent back") {
        $0.onOpen = { peer, open, sample in try peer.offer(sample, as: open.handle, proof: open.proof) }
      },
    ]
  }()

  @Test(arguments: lies)
  func `a liar is banned at once and named once, and the honest peer sends the file`(_ lie: Lie) throws {
    let liar = try FakeSource(lie.script)
    let honest = try FakeSource(.after(liar))
    defer { [liar, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [liar.address, honest.address])
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.banned == [liar.peerID])
    #expect(fetched.liars == [liar.address])
    #expect(liar.log.requests.count <= 1)
  }

  @Test(arguments: lies)
  func `if the only peer lies, the download reports it and writes no file`(_ lie: Lie) throws {
    let liar = try FakeSource(lie.script)
    defer { liar.stop() }
    let fetched = try fetch(from: [liar.address])
    liar.stop()
    guard case .everyPeerLied? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(fetched.outcome(of: liar.address) == .lied)
    #expect(fetched.banned == [liar.peerID])
    #expect(fetched.liars == [liar.address])
    #expect(liar.log.requests.count <= 1)
    #expect(liar.log.connections == 1)
    #expect(liar.log.goodbyes == [.badData])
    #expect(fetched.folder.names.allSatisfy { $0.hasPrefix(".") }, "only a part file may stay")
  }

  @Test func `a liar is reported with its lie and not with our GOODBYE`() throws {
    let liar = try FakeSource(LyingSourceTests.lies[0].script)
    defer { liar.stop() }
    let fetched = try fetch(from: [liar.address])
    let ends = fetched.ends(of: liar.address)
    #expect(ends.count == 1)
    if case .lied? = ends.last {} else { Issue.record("\(ends)") }
  }

  @Test func `of a liar, a refusing peer and two honest peers only the liar is banned`() throws {
    let liar = try FakeSource(LyingSourceTests.lies[0].script)
    var refusal = SourceScript()
    refusal.onOpen = { peer, open, _ in try peer.refuse(open.handle, .noSuchFile) }
    let refuser = try FakeSource(refusal)
    let honest = [try FakeSource(.after(liar)), try FakeSource(.after(liar))]
    let sources = [liar, refuser] + honest
    defer { sources.forEach { $0.stop() } }
    let fetched = try fetch(from: sources.map(\.address))
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.banned == [liar.peerID])
    #expect(fetched.liars == [liar.address])
    #expect(liar.log.requests.count == 1)
    let stats = try #require(fetched.stats)
    #expect(stats.downloadedChunks == 4)
    #expect(stats.retries == 0, "a lie spends no retry")
    #expect(stats.bytes == UInt64(Sample.common.bytes.count))
    for peer in stats.peers where peer.peer == liar.peerID { #expect(peer.bytes == 0 && peer.chunks == 0) }
    #expect(stats.peers.reduce(0) { $0 + $1.chunks } == 4)
  }

  @Test func `if every peer lies, each is banned and the download reports it`() throws {
    let liars = try [0, 2, 7].map { try FakeSource(LyingSourceTests.lies[$0].script) }
    defer { liars.forEach { $0.stop() } }
    let fetched = try fetch(from: liars.map(\.address))
    guard case .everyPeerLied? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(Set(fetched.banned) == Set(liars.map(\.peerID)))
    #expect(Set(fetched.liars) == Set(liars.map(\.address)))
    #expect(fetched.stats?.bytes == 0)
  }

  @Test func `leaves that were correct before the lie are kept and requested only once`() throws {
    let liar = try FakeSource(LyingSourceTests.lies[1].script)
    let honest = try FakeSource(.after(liar))
    defer { [liar, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [liar.address, honest.address])
    #expect(fetched.output == Sample.common.bytes)
    let stats = try #require(fetched.stats)
    let ofLiar = stats.peers.first { $0.peer == liar.peerID }
    #expect(try #require(ofLiar).bytes > 0)
    // A block that one thread verifies while another finds the lie is not saved.
    #expect(stats.duplicateBytes <= 8 * 65_536)
    let asked = honest.log.requests.reduce(0) { $0 + $1.leaves.count }
    #expect(asked < 3 * 64 + 2)
  }

  @Test func `a peer that offers another file under the proof of this one is a liar`() throws {
    var script = SourceScript()
    let other = Sample(byteCount: 100_000, seed: 9)
    script.onOpen = { peer, open, sample in
      try peer.offer(sample, as: open.handle, length: other.layout.fileLength, root: other.file.root)
    }
    let liar = try FakeSource(script)
    defer { liar.stop() }
    let fetched = try fetch(from: [liar.address])
    #expect(fetched.banned == [liar.peerID])
    #expect(fetched.folder.names.isEmpty)
  }
}
