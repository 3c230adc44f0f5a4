// `withNode`: runs a node for the duration of one call.
import PeerNode
import Posix

/// Starts a node, calls `body` with it, and stops it when `body` returns or throws, or when the task is cancelled.
/// Returns when the node has stopped.
///
/// Uploads may go on for `grace` after `body` has ended. If the task is cancelled, the node begins to stop at once: its
/// downloads fail with `.failed(.cancelled, …)`, and its events end.
/// - `listen`: the address that other nodes may dial; nil: the node does not listen.
/// - Throws: `ServerError` if the node cannot start; the error of `body`.
@discardableResult public func withNode<Result>(
  _ configuration: NodeConfiguration = NodeConfiguration(), listen: Endpoint? = nil, grace: Duration = .seconds(10),
  isolation: isolated (any Actor)? = #isolation, _ body: (Node) async throws -> Result
) async throws -> Result {
  let node = try Node(configuration, listen: listen)
  do {
    let result = try await withTaskCancellationHandler {
      try await body(node)
    } onCancel: {
      node.beginStop(grace: grace)
    }
    await node.stop(grace: grace)
    return result
  } catch {
    await node.stop(grace: grace)
    throw error
  }
}
