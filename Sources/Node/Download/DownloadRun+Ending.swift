// How a download ends: its threads stop, the file gets its name, and perhaps it stays offered for a while.
import Storage
import Transfer

extension DownloadRun {
  var isOver: Bool { if case .over = phase { true } else { false } }

  /// After it is over.
  var result: Result<DownloadResult, DownloadError> {
    guard case .over(let result) = phase else { preconditionFailure("the download runs") }
    return result
  }

  /// Ends all threads of the download. Those of the node that talk to peers go on.
  func stopFetching(_ outcome: Outcome, at now: Instant) {
    let isComplete = if case .success = outcome { output.error == nil } else { false }
    if isComplete { output.completed(at: now) }
    let isServing = sharing.stopFetching(at: now)
    search.stop()
    if !isServing { node.sayGoodbye() }
    output.stop(isComplete: isComplete)
    phase = .stopped(outcome)
  }

  /// The last messages of the threads were heard.
  func end(_ outcome: Outcome, at now: Instant) {
    switch outcome {
    case .failure(let error): fail(error, keepsPartAt: now)
    case .success(let stats):
      if let error = output.error { return fail(.storage(error), keepsPartAt: now) }
      guard output.isStream else { return complete(stats, at: now) }
      output.closeStream()
      if isCancelledLate { return fail(.failed(.cancelled, stats, part: nil)) }
      phase = .passingOn(stats)
    }
  }

  /// The whole file is there: it gets its name.
  func complete(_ stats: DownloadStats, at now: Instant) {
    guard let manifest else { preconditionFailure("a complete download has a manifest") }
    var stats = stats
    let path: String?
    do throws(PartFileError) {
      path = try output.complete(length: manifest.length, at: now)
    } catch {
      return fail(.storage(error))
    }
    reportProgress(at: now)
    if sharing.stays, let part = output.part { sharing.watch(part, name: output.name) }
    stats.uploadedBytes = node.context.uploaded
    let result = DownloadResult(stats: stats, path: path, name: output.name, wasFound: output.found != nil)
    guard sharing.stays, path != nil else { return phase = .over(.success(result)) }
    onUpdate(.staying(result))
    phase = isCancelledLate ? .over(.success(result)) : .staying(result, until: sharing.end(from: now))
  }

  /// It ends without its file.
  /// - `keepsPartAt`: the time, if verified data stays for a later download.
  func fail(_ error: DownloadError, keepsPartAt now: Instant? = nil) {
    output.abandonStream()
    if let now {
      do throws(PartFileError) { try output.keep(at: now) } catch {
        // The user hears that nothing is kept, unless something worse was reported before.
        if output.error == nil { return phase = .over(.failure(.storage(error))) }
      }
    }
    phase = .over(.failure(error))
  }
}
