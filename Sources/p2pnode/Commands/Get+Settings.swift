// Turns the options of `get` into settings of its node and its downloads.
import CommandSettings
import Content
import PeerNode
import Posix
import Storage
import Transfer
import Wire

extension Get {
  /// Starts the metrics pages. Nil if no address is set. An address in the settings may already be used by a `serve` or
  /// another `get` on this machine: then this command runs without the pages and prints a warning.
  func pages(
    of metrics: GetMetrics, _ set: Settings, _ figures: @escaping @Sendable () -> NodeFigures?
  ) throws(Failure) -> MetricsPages? {
    guard let address = set.metrics else { return nil }
    let pages: MetricsPages
    do throws(MetricsFailure) {
      pages = try MetricsPages(at: address) { page in
        metrics.add(to: &page)
        if let figures = figures() { page.add(figures) }
      } ready: { fileID in
        metrics.ready(fileID)
      }
    } catch {
      guard error.errno.isAddressInUse, self.metrics == nil else { throw Failure(error) }
      if !quiet && set.logLevel >= .warning {
        Console.log(
          .warning,
          "warning: metrics \(address) (\(set.origin(of: .metrics))) is in use, so this get serves no metrics; "
            + "choose another address with --metrics HOST:PORT, or use --metrics off")
      }
      return nil
    }
    if !quiet && set.logLevel >= .info { Console.error("metrics at http://\(pages.address)/metrics") }
    return pages
  }

  func configuration(_ set: Settings, _ identity: StaticIdentity) throws(Failure) -> NodeConfiguration {
    var configuration = NodeConfiguration(
      identity: identity, swarmKey: try set.loadSwarmKey(), suites: try set.suites())
    configuration.discovery = set.discovery
    configuration.connectionsMax = set.maxConnections
    set.warnOfOpenFiles(granted: configuration.connectionsOfDownload)
    configuration.uploadLimit = set.uploadLimit
    configuration.uploadLimitPerPeer = set.uploadLimitPerPeer
    configuration.zone = set.zone
    configuration.downloadLimit = set.downloadLimit
    return configuration
  }

  func downloadSettings(_ set: Settings) -> DownloadSettings {
    var settings = DownloadSettings()
    settings.maxWorkers = set.workers
    settings.maxRetries = set.retries
    settings.chunkTimeout = set.chunkTimeout
    settings.patience = PeerPatience(set.wait)
    return settings
  }

  func sharing(_ settings: Settings) throws(Failure) -> Sharing? {
    if noUpload { return nil }
    let stay: Sharing.Stay? =
      switch keepServing {
      case nil: nil
      case .forever: .untilCancelled
      case .seconds(let count): .for(.seconds(count))
      }
    // The listen address in the settings belongs to `serve`, which may be running on this machine.
    let host = node.listen == nil ? HostPort(host: "::", port: 0) : settings.listen
    do throws(ResolutionFailure) { return Sharing(listen: try host.resolve()[0], stay: stay) } catch {
      throw Failure(
        Exit.ioError, "cannot listen on \(host): \(error.reason); choose another address with --listen HOST:PORT")
    }
  }
}
