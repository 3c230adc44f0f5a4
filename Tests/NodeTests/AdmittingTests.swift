// Which peers a serving node admits: only listed ones, and to a private swarm no outsider, whatever it sends.
import Content
import Posix
import Sodium
import TestSupport
import Testing
import Transfer

@testable import PeerNode
@testable import Wire

@Suite struct AdmittingTests {
  @Test func `an unlisted peer gets GOODBYE with not allowed, and its requests get no answer`() throws {
    let listed = StaticIdentity.random()
    let samples = try ServedSamples(allowed: [listed.peerID])
    let stranger = try samples.dial()
    try stranger.send(stranger.openMessage(Sample.common.fileID))
    var messages: [Message] = []
    while let message = try? stranger.receive().message { messages.append(message) }
    #expect(messages.count == 1 && messages[0].goodbyeCode == .notAllowed)

    let member = try ScriptedPeer(dialling: samples.address, as: listed)
    guard case .opened(let opened) = try member.open(Sample.common.fileID), case .opened = opened.outcome else {
      Issue.record("who is listed is not served")
      return
    }
  }

  @Test func `unlisted peers take no place`() throws {
    let listed = StaticIdentity.random()
    let samples = try ServedSamples(connectionsMax: 2, allowed: [listed.peerID])
    for _ in 0..<5 { #expect(try samples.dial().receiveGoodbye()?.code == .notAllowed) }
    let fetched = try fetch(from: [samples.address], as: listed)
    #expect(fetched.output == Sample.common.bytes)
  }

  @Test func `a download that no peer admits reports it`() throws {
    let samples = try ServedSamples(allowed: [])
    let fetched = try fetch(from: [samples.address])
    guard case .notAdmitted? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(fetched.outcome(of: samples.address) == .refused(.notAllowed))
  }

  @Test func `an allow list also applies in a private swarm`() throws {
    let key = try SwarmKey(.random())
    let listed = StaticIdentity.random()
    let samples = try ServedSamples(swarm: key, allowed: [listed.peerID])
    #expect(try fetch(from: [samples.address], as: listed, swarm: key).output == Sample.common.bytes)
    guard case .notAdmitted? = try fetch(from: [samples.address], swarm: key).failure else {
      Issue.record("a member that is not listed is served")
      return
    }
  }

  /// Bytes that an outsider may send first. After each of them it ends the stream.
  private static let probes: [[UInt8]] = [
    [], [0], Array("p2pnode".utf8), Array("GET / HTTP/1.1\r\n\r\n".utf8), [UInt8](repeating: 0, count: 512),
    [UInt8](repeating: 255, count: 512),
    Preamble(suite: .chaChaPoly, pattern: .xx).encode(), Preamble(suite: .aesGCM, pattern: .xx).encode(),
    Preamble(suite: .chaChaPoly, pattern: .xx).encode() + [0, 32] + [UInt8](repeating: 9, count: 32),
    Preamble(suite: .chaChaPoly, pattern: .xxpsk0).encode(),
    Preamble(suite: .chaChaPoly, pattern: .xxpsk0).encode() + [0, 48] + [UInt8](repeating: 9, count: 48),
    Preamble(suite: .aesGCM, pattern: .xxpsk0).encode() + [0, 48] + [UInt8](repeating: 9, count: 48),
    Preamble(suite: .chaChaPoly, pattern: .xxpsk0).encode() + [255, 255],
    Preamble(suite: .chaChaPoly, pattern: .xxpsk0).encode() + [0, 0],
    // A suite and a version that do not exist.
    Array("p2pnode".utf8) + [1, 9, 1, 0, 0, 0, 0, 0, 0], Array("p2pnode".utf8) + [2, 1, 1, 0, 0, 0, 0, 0, 0],
  ]

  @Test func `a private node sends nothing, whatever an outsider sends`() throws {
    let key = try SwarmKey(.random())
    for suites in [[CipherSuite.chaChaPoly], CipherSuite.available] {
      let samples = try ServedSamples(swarm: key, suites: suites)
      for probe in AdmittingTests.probes {
        let socket = try BlockingSocket(dialling: samples.address)
        try socket.send(probe)
        socket.finishSending()
        #expect(try socket.receiveToEnd() == [], "\(probe)")
      }
      #expect(try fetch(from: [samples.address], swarm: key).output == Sample.common.bytes)
    }
  }

  @Test(arguments: [false, true])
  func `a node that cannot speak with a dialer reads all its bytes before it closes`(isPrivate: Bool) throws {
    let samples = try ServedSamples(swarm: isPrivate ? SwarmKey(.random()) : nil)
    let socket = try BlockingSocket(dialling: samples.address)
    try socket.send(Preamble(suite: .chaChaPoly, pattern: isPrivate ? .xx : .xxpsk0).encode())
    #expect(try socket.receiveToEnd().count == (isPrivate ? 0 : Preamble.byteCount))
    // The node must not reset the connection: after a reset, the second byte could not be sent.
    for byte in [UInt8](repeating: 9, count: 50) { try socket.send([byte]) }
  }

  @Test func `a public node learns nothing from a member of a private swarm that dials it`() throws {
    let source = try FakeSource()
    let fetched = try fetch(from: [source.address], swarm: try SwarmKey(.random()))
    source.stop()
    guard case .notAdmitted? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(source.log.messages.isEmpty)
  }
}
