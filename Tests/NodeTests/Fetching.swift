// One download as tests see it: what came of it, what it said, and what lies in the folder.
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
  /// What is under the file's name.
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
  /// Addresses that are named for wrong data, as often as they are.
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

  /// What the download says of an address when it has failed.
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

/// Settings of downloads that meet peers which say nothing: long enough for an honest one on a busy machine.
func impatient(_ timeout: Duration = .milliseconds(800)) -> DownloadSettings {
  var settings = DownloadSettings()
  settings.chunkTimeout = timeout
  return settings
}

/// Fetches a file into a new folder, or into one that holds an earlier download's part file.
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
