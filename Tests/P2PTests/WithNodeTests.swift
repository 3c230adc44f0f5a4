// A node that exists during a call. It has stopped when the call returns, whatever ended the call.
import P2P
import TestSupport
import Testing

@Suite struct WithNodeTests {
  private static let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: 0)
  private struct Failure: Error {}

  /// Whether a node has stopped: its events have ended, and its port is free.
  private func hasStopped(_ node: Node) async throws -> Bool {
    for await _ in node.events() {}
    let next = try Node(NodeConfiguration(), listen: node.address)
    await next.stop(grace: .zero)
    return true
  }

  @Test func `withNode returns the result of its body after the node has stopped`() async throws {
    let (node, count) = try await withNode(listen: WithNodeTests.loopback) { node in (node, node.figures.connections) }
    #expect(count == 0)
    #expect(try await hasStopped(node))
  }

  @Test func `if the body throws, the node ends`() async throws {
    var started: Node?
    await #expect(throws: Failure.self) {
      try await withNode(listen: WithNodeTests.loopback) { node in
        started = node
        throw Failure()
      }
    }
    #expect(try await hasStopped(try #require(started)))
  }

  @Test func `if the node cannot start, withNode throws and does not call its body`() async throws {
    try await withNode(listen: WithNodeTests.loopback) { node in
      await #expect(throws: ServerError.self) {
        try await withNode(listen: node.address) { _ in Issue.record("the port was in use") }
      }
    }
  }

  @Test func `cancelling the task stops the node even if the body does not notice`() async throws {
    let (started, continuation) = AsyncStream<Node>.makeStream()
    let task = Task {
      try await withNode(listen: WithNodeTests.loopback, grace: .zero) { node in
        continuation.yield(node)
        // This task is not cancelled. Its loop ends because the node has stopped.
        await Task.detached { for await _ in node.events() {} }.value
        return Task.isCancelled
      }
    }
    let node = try #require(await started.first { _ in true })
    task.cancel()
    #expect(try await task.value)
    #expect(try await hasStopped(node))
  }

  @Test func `cancelling the task ends downloads and gives uploads their grace period`() async throws {
    let folder = TemporaryFolder()
    let slow = try await SlowServer(folder)
    let download = Task {
      try await withNode(grace: .zero) { node in
        let download = node.download(slow.fileID, from: [slow.peer], to: DownloadTarget(folder: folder.path))
        let waiting = Task.detached { try await download.result() }
        for await update in download.updates {
          if case .progress(let progress) = update, progress.bytes > 0 { break }
        }
        withUnsafeCurrentTask { $0?.cancel() }
        return await waiting.result
      }
    }
    guard case .failure(DownloadError.failed(.cancelled, _, _)) = try await download.value else {
      Issue.record("not cancelled")
      return
    }
    await slow.server.stop()
  }
}
