// One download as tests see it: its result, its updates, and its output folder.
import Content
import Posix
import Sodium
import Storage
import Transfer
import Wire
import TestSupport

@testable import PeerNode

/// A download that has ended.
struct Fetched {
  let result: Result<DownloadResult, DownloadError>
  let updates: [DownloadUpdate]
  /// The bytes of the file with the output's name. Nil if there is none.
  let output: [UInt8]?
  let folder: TemporaryFolder

  var stats: DownloadStats? {
    switch result {
    case .success(let result): result.stats
    case .failure(.failed(_, let stats, _)): stats
    case .failure: nil
    }
  }
  var failure: DownloadFailure? {
    if case .failure(.failed(let failure, _, _)) = result { failure } else { nil }
  }
  var banned: [PeerID] {
    updates.compactMap { if case .report(.peerBanned(let peer)) = $0 { peer } else { nil } }
  }
  /// The addresses that are reported for wrong data. An address may occur several times.
  var liars: [Endpoint] {
    updates.compactMap { if case .peerEnded(let address, _, .lied) = $0 { address } else { nil } }
  }
  var retries: [RetryReason] {
    updates.compactMap { if case .report(.chunkRetry(_, _, let reason, _, _)) = $0 { reason } else { nil } }
  }

  /// The ends of connections to an address, in order.
  func ends(of address: Endpoint) -> [ConnectionEnd] {
    updates.compactMap { if case .peerEnded(address, _, let end) = $0 { end } else { nil } }
  }

  /// What a failed download reports about an address.
  func outcome(of address: Endpoint) -> AddressOutcome? {
    let reports: [AddressReport]
    switch failure {
    case .unreachable(let all), .notFound(let all), .notAdmitted(let all), .everyPeerLied(let all), .noPeers(let all):
      reports = all
    default: reports = []
    }
    return reports.first { $0.address.ip == address.ip && $0.address.port == address.port }?.outcome
  }
}

/// Settings for downloads with silent peers: a timeout that an honest peer on a busy machine can still meet.
func impatient(_ timeout: Duration = .milliseconds(800)) -> DownloadSettings {
  var settings = DownloadSettings()
  settings.chunkTimeout = timeout
  return settings
}

/// Fetches a file into a new folder, or into a folder with the part file of an earlier download.
func fetch(
  _ fileID: FileID = Sample.common.fileID, from addresses: [Endpoint],
  settings: DownloadSettings = DownloadSettings(), as identity: StaticIdentity = .random(), swarm: SwarmKey? = nil,
  suites: [CipherSuite] = CipherSuite.available, into folder: TemporaryFolder = TemporaryFolder(),
  pinned: PeerID? = nil, with existing: Downloader? = nil
) throws -> Fetched {
  var configuration = NodeConfiguration(identity: identity, swarmKey: swarm, suites: suites)
  configuration.loopCount = 2
  let downloader = existing ?? Downloader(configuration, settings: settings)
  let watchdog = Watchdog(seconds: 60) { downloader.cancel() }
  defer { withExtendedLifetime(watchdog) {} }
  var updates: [DownloadUpdate] = []
  let result: Result<DownloadResult, DownloadError>
  do throws(DownloadError) {
    result = .success(
      try downloader.downloadFile(
        fileID,
        from: addresses.map { PeerSource(host: HostPort(host: $0.host, port: $0.port), pinned: pinned) },
        to: DownloadTarget(folder: folder.path)
      ) { updates.append($0) })
  } catch {
    result = .failure(error)
  }
  let name = (try? result.get())?.name
  return Fetched(result: result, updates: updates, output: name.flatMap { folder.read($0) }, folder: folder)
}
