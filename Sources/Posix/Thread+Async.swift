// Lets async code wait for calls that block: they run on a thread of their own.

extension Thread {
  /// Runs `body`, which may block, on its own thread. The task waits without occupying a thread. It waits until the end
  /// even if it is cancelled.
  /// - `name`: the thread's name, at most 15 bytes.
  package static func blocking<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable () -> Result
  ) async -> Result {
    await withCheckedContinuation { continuation in
      Thread.start(name: name) { continuation.resume(returning: body()) }.detach()
    }
  }

  /// Runs a `body` that may throw; else like the function above.
  package static func blocking<Value: Sendable, Failure: Error>(
    _ name: String, _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result = await blocking(name) { () -> Result<Value, Failure> in
      do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Runs a `body` that checks `shouldStop` now and then, and ends soon once it returns true: after the task was
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
