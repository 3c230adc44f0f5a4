// A node as a service. It serves its folders until the program shuts down; then it lets uploads finish and stops.
import Logging
import Metrics
import P2P
import ServiceLifecycle

/// Runs a node in a `ServiceGroup`. Meanwhile the node's events go to a logger and its figures to a metrics system.
///
/// At a graceful shutdown, uploads may finish within `grace`. A cancellation stops the node at once. In both cases
/// `run` returns when the node has stopped. It also returns if the program stops the node. It throws if a folder cannot
/// be served.
public struct NodeService: Service {
  /// A folder to serve.
  public struct Folder: Sendable {
    /// The folder's path. It must exist.
    public var path: String
    /// The path of the folder for the hashes of the files. It must exist.
    public var stateFolder: String
    public var rules: ServingRules

    public init(_ path: String, stateFolder: String) {
      self.init(path, stateFolder: stateFolder, rules: ServingRules())
    }

    public init(_ path: String, stateFolder: String, rules: ServingRules) {
      (self.path, self.stateFolder, self.rules) = (path, stateFolder, rules)
    }
  }

  /// The node. The program may use it for downloads.
  public let node: Node
  private let folders: [Folder]
  private let grace: Duration
  private let interval: Duration
  private let log: NodeLog
  private let metrics: NodeMetrics

  /// - `node`: a running node. The service stops it.
  /// - `grace`: the time for uploads at a graceful shutdown. If the group's `maximumGracefulShutdownDuration` is set,
  ///   choose a shorter one: the group then cancels the service, but the node still takes its first `grace`.
  /// - `interval`: the time between two records of the metrics.
  /// - `metricsFactory`: nil: the factory of `MetricsSystem`.
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

  /// Performs the service. Returns when the node has stopped.
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
