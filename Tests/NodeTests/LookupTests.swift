// Host names of peers, with a resolver that the test controls. Late or changed results are used during the download.
import Content
import Posix
import Synchronization
import TestSupport
import Testing
import Transfer

@testable import PeerNode
@testable import Wire

/// Answers the n-th look-up of a name with the n-th answer, later ones with the last. Nil: there is no address.
private final class Names: Sendable {
  private let answers: [String: [[Endpoint]?]]
  private let asked = Mutex<[String: Int]>([:])

  init(_ answers: [String: [[Endpoint]?]]) { self.answers = answers }

  func count(of host: String) -> Int { asked.withLock { $0[host, default: 0] } }

  func resolve(_ host: HostPort) throws(ResolutionFailure) -> [Endpoint] {
    let number = asked.withLock { asked in
      defer { asked[host.host, default: 0] += 1 }
      return asked[host.host, default: 0]
    }
    let all = answers[host.host] ?? [nil]
    guard let addresses = all[min(number, all.count - 1)] else {
      throw ResolutionFailure(host: host.host, reason: "no such host")
    }
    return addresses
  }
}

private func fetch(_ sources: [PeerSource], _ names: Names) throws -> Fetched {
  try fetch(sources) { host throws(ResolutionFailure) in try names.resolve(host) }
}

private func fetch(_ sources: [PeerSource], resolve: @escaping Resolver) throws -> Fetched {
  var configuration = NodeConfiguration(identity: .random())
  configuration.loopCount = 2
  let downloader = Downloader(
    storage: DownloadTarget(folder: "."), client: PeerClient(configuration: configuration),
    settings: DownloadSettings(),
    resolve: resolve)
  let watchdog = Watchdog(seconds: 60) { downloader.cancel() }
  defer { withExtendedLifetime(watchdog) {} }
  let folder = TemporaryFolder()
  var updates: [DownloadUpdate] = []
  let result: Result<DownloadResult, DownloadError>
  do throws(DownloadError) {
    result = .success(
      try downloader.downloadFile(Sample.common.fileID, from: sources, to: DownloadTarget(folder: folder.path)) {
        updates.append($0)
      })
  } catch {
    result = .failure(error)
  }
  let name = (try? result.get())?.name
  return Fetched(result: result, updates: updates, output: name.flatMap { folder.read($0) }, folder: folder)
}

private func named(_ host: String, addressesMax: Int = 256) -> PeerSource {
  PeerSource(host: HostPort(host: host, port: 9800), addressesMax: addressesMax)
}

@Suite struct LookupTests {
  @Test func `a name that starts to resolve a little later is used`() throws {
    let samples = try ServedSamples()
    let names = Names(["seed": [nil, nil, [samples.address]]])
    let fetched = try fetch([named("seed")], names)
    #expect(fetched.output == Sample.common.bytes)
    let told = fetched.updates.compactMap { update in
      switch update {
      case .unresolved(let source, let reason): "\(source): \(reason)"
      case .resolved(let source, let addresses): "\(source) is \(addresses)"
      default: nil
      }
    }
    #expect(told == ["seed:9800: no such host", "seed:9800 is [\(samples.address)]"])
  }

  @Test func `a name that never resolves ends the download with the reason`() throws {
    let names = Names([:])
    let fetched = try fetch([named("nowhere")], names)
    guard case .noPeers? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(names.count(of: "nowhere") > 1)
  }

  @Test func `when its only peer is lost, a download dials the new address of the name`() throws {
    var script = SourceScript()
    script.onRequest = { _, _, _ in throw SocketEnd.endOfStream }
    let leaving = try FakeSource(script)
    let samples = try ServedSamples()
    let names = Names(["seed": [[leaving.address], [samples.address]]])
    let fetched = try fetch([named("seed")], names)
    leaving.stop()
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.stats?.peers.count == 2)
    #expect(names.count(of: "seed") > 1)
  }

  @Test func `a resolver that hangs delays no other name`() throws {
    let samples = try ServedSamples()
    let hanging = BlockingQueue<Void>()
    defer { hanging.close() }
    let served = PeerSource(host: HostPort(host: "127.0.0.1", port: samples.address.port))
    let fetched = try fetch([named("hangs"), served]) { host throws(ResolutionFailure) in
      _ = hanging.take()
      throw ResolutionFailure(host: host.host, reason: "too late")
    }
    #expect(fetched.output == Sample.common.bytes)
  }

  @Test func `an address is not looked up`() throws {
    let samples = try ServedSamples()
    let names = Names([:])
    let served = PeerSource(host: HostPort(host: "127.0.0.1", port: samples.address.port))
    #expect(try fetch([served], names).output == Sample.common.bytes)
    #expect(names.count(of: "127.0.0.1") == 0)
  }

  @Test func `only a limited number of a name's addresses is dialled`() throws {
    // Nothing listens there, so each dial is refused at once.
    let many = (1...40).map { Endpoint.loopback(1, last: UInt8($0)) }
    let names = Names(["many": [many]])
    let fetched = try fetch([named("many", addressesMax: 16)], names)
    guard case .unreachable(let reports)? = fetched.failure else {
      Issue.record("\(fetched.result)")
      return
    }
    #expect(reports.count == 16)
  }

  @Test(arguments: ["127.0.0.1", "::1", "fe80::1%1", "::ffff:1.2.3.4"])
  func `an IP address is recognised as an address`(host: String) {
    #expect(HostPort(host: host, port: 1).address != nil)
  }

  @Test(arguments: ["localhost", "seed", "1.2.3", "1.2.3.4.5", "::g", "256.0.0.1"])
  func `a host name is recognised as a name`(host: String) {
    // The resolver accepts the short address forms of `inet_aton`, so they need no look-up.
    #expect(HostPort(host: host, port: 1).address == nil || host == "1.2.3")
  }
}
