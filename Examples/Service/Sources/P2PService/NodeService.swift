// A node as a service: it serves its folders until the program shuts down, then lets uploads end, and stops.
import Logging
import Metrics
import P2P
import ServiceLifecycle

/// Runs a node in a `ServiceGroup`. While it runs, the events of the node go to a logger, and its numbers to a metrics system.
///
/// A graceful shutdown lets uploads end within `grace`. Cancellation stops the node at once. Either way `run` returns when the
/// node has stopped. It also returns when the program itself stops the node, and throws if a folder cannot be served.
public struct NodeService: Service {
  /// A folder to serve.
  public struct Folder: Sendable {
    /// It must exist.
    public var path: String
    /// It must exist. It keeps the hashes of the files.
    public var stateFolder: String
    public var rules: ServingRules

    public init(_ path: String, stateFolder: String) {
      self.init(path, stateFolder: stateFolder, rules: ServingRules())
    }

    public init(_ path: String, stateFolder: String, rules: ServingRules) {
      (self.path, self.stateFolder, self.rules) = (path, stateFolder, rules)
    }
  }

  /// The node, for downloads of the program.
  public let node: Node
  private let folders: [Folder]
  private let grace: Duration
  private let interval: Duration
  private let log: NodeLog
  private let metrics: NodeMetrics

  /// - `node`: runs already. The service stops it.
  /// - `grace`: for uploads, at a graceful shutdown. Shorter than the group's `maximumGracefulShutdownDuration`, if that is
  ///   set: the group cancels the service then, but the node keeps to its first `grace`.
  /// - `interval`: between two records of the metrics.
  /// - `metricsFactory`: nil: the one of `MetricsSystem`.
  public init(
    _ node: Node, folders: [Folder] = [], grace: Duration = .seconds(10), interval: Duration = .seconds(10),
    logger: Logger, metricsFactory: (any MetricsFactory)? = nil
  ) {
    self.node = node
    self.folders = folders
    self.grace = grace
    self.interval = interval
    log = NodeLog(logger)
    metrics = NodeMetrics(metricsFactory ?? MetricsSystem.factory)
  }

  public func run() async throws {
    let (node, grace) = (node, grace)
    let result: Result<Void, any Error>
    do {
      try await withTaskCancellationHandler {
        try await withGracefulShutdownHandler {
          try await work()
        } onGracefulShutdown: {
          Task { await node.stop(grace: grace) }
        }
      } onCancel: {
        Task { await node.stop(grace: .zero) }
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await node.stop(grace: grace)
    metrics.record(node.figures)
    log.stopped(node)
    try result.get()
  }

  private enum Part { case events, folder, metrics }

  /// Returns when the node has stopped.
  private func work() async throws {
    let events = node.events()
    log.started(node)
    try await withThrowingTaskGroup(of: Part.self) { group in
      group.addTask {
        await log.follow(events)
        return .events
      }
      group.addTask {
        await record()
        return .metrics
      }
      for folder in folders {
        group.addTask {
          do { try await serve(folder) } catch {
            log.cannotServe(folder.path, error)
            throw error
          }
          return .folder
        }
      }
      for try await part in group where part == .events { group.cancelAll() }
    }
  }

  private func serve(_ folder: Folder) async throws {
    let share = try await node.share(folder.path, stateFolder: folder.stateFolder, rules: folder.rules)
    do {
      _ = try await share.scan { log.note($0, in: folder.path) }
    } catch  where error.code == Errno.cancelled {
      return  // the node stops
    }
    log.serves(share)
  }

  private func record() async {
    while !Task.isCancelled {
      metrics.record(node.figures)
      try? await Task.sleep(for: interval)
    }
  }
}
