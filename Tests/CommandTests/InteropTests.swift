// The command against a peer with another Noise library: both roles, each suite and pattern, across key changes.
// `scripts/interop-venv` makes the Python environment that these tests need. Without it they are skipped.
import Foundation
import Testing

enum NoisePeer {
  static let python: String = {
    let venv = ProcessInfo.processInfo.environment["P2PNODE_TEST_VENV"] ?? Binary.packageRoot + "/.build/test-venv"
    return venv + "/bin/python"
  }()
  static let script = Binary.packageRoot + "/Tests/Interop/noise_peer.py"

  static let isThere: Bool = {
    guard FileManager.default.isExecutableFile(atPath: python) else { return false }
    let workbench = Workbench()
    guard let child = try? workbench.start(python, ["-c", "import noise"]) else { return false }
    return (try? workbench.ended(child))?.code == 0
  }()
}

@Suite(.enabled(if: NoisePeer.isThere, "run scripts/interop-venv to make the environment of noise_peer.py"))
struct InteropTests {
  private let workbench = Workbench()
  /// More records than one key seals.
  private static let pings = (1 << 14) + 8

  private func swarmKeyOptions(_ isPrivate: Bool) throws -> (ours: [String], its: [String]) {
    guard isPrivate else { return ([], []) }
    let keygen = try workbench.run("keygen", "swarm.key")
    guard keygen.code == 0 else { throw Unexpected("\(keygen)") }
    let key = workbench.path("swarm.key")
    return (["--swarm-key", key], ["--psk", key])
  }

  /// Starts a listening peer. It writes its port to a FIFO, so that the test waits by reading.
  private func listen(_ options: [String]) throws -> (peer: Child, port: String, peerID: String) {
    let portFile = workbench.path("port")
    guard mkfifo(portFile + ".new", 0o600) == 0 else { throw Unexpected("mkfifo failed") }
    let peer = try workbench.start(NoisePeer.python, [NoisePeer.script, "listen", portFile] + options)
    let words = try workbench.ended(try workbench.start("cat", [portFile + ".new"])).stdout.lines
    guard words.count == 2 else { throw Unexpected("'\(words)' is no port and PeerID") }
    return (peer, words[0], words[1])
  }

  private func report(_ child: Child) throws -> [String: Any] {
    guard let report = try JSONLines.objects(child.stdout).last else { throw Unexpected("it said nothing: \(child)") }
    return report
  }

  private func checkChannel(_ report: [String: Any], _ suite: String, _ isPrivate: Bool, _ child: Child) {
    #expect(report["suite"] as? String == (suite == "aes" ? "AESGCM" : "ChaChaPoly"), "\(child)")
    #expect(report["pattern"] as? String == (isPrivate ? "XXpsk0" : "XX"), "\(child)")
    #expect(report["rekeys_sent"] as? Int == 1, "\(child)")
    #expect(report["rekeys_received"] as? Int == 1, "\(child)")
    #expect((report["payload"] as? [String: Any])?["agent"] as? String == "p2pnode", "\(child)")
  }

  @Test(arguments: ["chacha", "aes"], [false, true])
  func `another implementation dials serve and opens a file after a new key`(suite: String, isPrivate: Bool) throws {
    if !Processor.hasAES && suite == "aes" { try Test.cancel("the processor has no AES") }
    let keys = try swarmKeyOptions(isPrivate)
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 12_345)
    let served = try workbench.listen(folder, keys.ours)
    try workbench.line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    let port = try #require(served.address.split(separator: ":").last)
    let peer = try workbench.ended(
      try workbench.start(
        NoisePeer.python,
        [
          NoisePeer.script, "dial", "127.0.0.1", String(port), "--suite", suite, "--pin", served.peerID, "--open",
          try served.fileID("data.bin"), "--records", "\(InteropTests.pings)",
        ] + keys.its))
    #expect(peer.code == 0, "\(peer)")
    let report = try report(peer)
    checkChannel(report, suite, isPrivate, peer)
    let opened = try #require(report["opened"] as? [String: Any])
    #expect(opened["status"] as? Int == 0, "\(peer)")
    #expect(opened["length"] as? Int == 12_345, "\(peer)")
    #expect(opened["name"] as? String == "data.bin", "\(peer)")
  }

  @Test(arguments: ["chacha", "aes"], [false, true])
  func `get dials another implementation, which refuses the file after a new key`(
    suite: String, isPrivate: Bool
  ) throws {
    if !Processor.hasAES && suite == "aes" { try Test.cancel("the processor has no AES") }
    let keys = try swarmKeyOptions(isPrivate)
    let (peer, port, peerID) = try listen(["--records", "\(InteropTests.pings)"] + keys.its)
    let fileID = String(repeating: "ab", count: 32)
    let get = try workbench.ended(
      try workbench.start(
        ["get", fileID, "--peer", "\(peerID)@127.0.0.1:\(port)", "--cipher", suite, "--chunk-timeout", "60"]
          + keys.ours))
    try workbench.ended(peer)
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.hasPrefix("p2pnode: no peer has \(fileID)") == true, "\(get)")
    #expect(peer.code == 0, "\(peer)")
    checkChannel(try report(peer), suite, isPrivate, peer)
  }

  @Test func `get reads the last bytes of a peer that resets the connection, even if get's answer cannot be sent`()
    throws
  {
    let (peer, port, peerID) = try listen(["--leave", "--records", "60"])
    let get = try workbench.run("get", String(repeating: "ab", count: 32), "--peer", "\(peerID)@127.0.0.1:\(port)")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.contains("it said: shutting down") == true, "\(get)")
    try workbench.ended(peer)
    #expect(peer.code == 0, "\(peer)")
  }
}
