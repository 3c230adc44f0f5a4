// Calls that block, for code that must not: async code waits for a thread that blocks in its place.

extension Thread {
  /// Runs `body`, which blocks, on a thread of its own. The task waits without a thread. It waits until the end even if it
  /// is cancelled.
  /// - `name`: of the thread, at most 15 bytes.
  package static func blocking<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable () -> Result
  ) async -> Result {
    await withCheckedContinuation { continuation in
      Thread.start(name: name) { continuation.resume(returning: body()) }.detach()
    }
  }

  /// The same for a body that throws.
  package static func blocking<Value: Sendable, Failure: Error>(
    _ name: String, _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result = await blocking(name) { () -> Result<Value, Failure> in
      do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// The same for a body that looks at `shouldStop` now and then, and ends soon when it says so: after the task is
  /// cancelled.
  package static func stoppable<Value: Sendable, Failure: Error>(
    _ name: String, _ body: @escaping @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let isCancelled = Monitor(false)
    let result = await withTaskCancellationHandler {
      await blocking(name) { () -> Result<Value, Failure> in
        do throws(Failure) { return .success(try body { isCancelled.wait { $0 } }) } catch { return .failure(error) }
      }
    } onCancel: {
      isCancelled.change { $0 = true }
    }
    return try result.get()
  }
}
