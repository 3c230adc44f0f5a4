// How a download ends: its work stops, the file gets its name, and perhaps it stays offered for a while.
import Storage
import Transfer

extension DownloadRun {
  /// Whether it still asks peers for data.
  var isFetching: Bool { if case .fetching = phase { true } else { false } }

  var isOver: Bool { if case .over = phase { true } else { false } }

  /// After it is over.
  var result: Result<DownloadResult, DownloadError> {
    guard case .over(let result) = phase else { preconditionFailure("the download runs") }
    return result
  }

  /// Ends the work of the download, without waiting for it. Connections that serve peers go on.
  func stopFetching(_ outcome: Outcome, at now: Instant) {
    let isComplete = if case .success = outcome { output.error == nil } else { false }
    if isComplete { output.completed(at: now) }
    sharing.stopFetching(at: now)
    search.stop()
    // The contents of a folder come over the same connections.
    if !(isComplete && isListing && onListed != nil) { connections.releaseAll() }
    output.stop(isComplete: isComplete)
    phase = .stopped(outcome)
  }

  /// The last messages of its work were heard.
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
    phase = .finishing(.success(stats))
    do throws(PartFileError) {
      let output = try output.complete(length: manifest.length, reopens: stays, at: now)
      if let output { finished(.success(stats), .success(output), at: now) }
    } catch {
      finished(.success(stats), .failure(error), at: now)
    }
  }

  /// It ends without its file.
  /// - `keepsPartAt`: the time, if verified data stays for a later download.
  func fail(_ error: DownloadError, keepsPartAt now: Instant? = nil) {
    output.abandonStream()
    phase = .over(.failure(error))
    if let now, output.keep(at: now) { phase = .finishing(.failure(error)) }
  }

  /// The output is finished: the file has its name, or the part file is as it stays.
  func finished(_ outcome: Outcome, _ result: Result<FinishedOutput, PartFileError>, at now: Instant) {
    switch (outcome, result) {
    case (.success(let stats), .success(let output)): succeeded(stats, output, at: now)
    case (.success, .failure(let error)): phase = .over(.failure(.storage(error)))
    // The user hears that nothing is kept, unless something worse was reported before.
    case (.failure, .failure(let error)) where output.error == nil: phase = .over(.failure(.storage(error)))
    case (.failure(let error), _): phase = .over(.failure(error))
    }
  }

  /// Whether the finished output stays offered, or is the listing of a folder whose contents are still fetched.
  private var stays: Bool { sharing.stays || isListing && sharing.isShared && onListed != nil }

  private func succeeded(_ stats: DownloadStats, _ finished: FinishedOutput, at now: Instant) {
    reportProgress(at: now)
    if let file = finished.file { sharing.watch(file) }
    var stats = stats
    stats.uploadedBytes = link.uploadedBytes
    guard let manifest else { preconditionFailure("a complete download has a manifest") }
    let result = DownloadResult(
      stats: stats, path: finished.path, name: output.name, wasFound: output.found != nil, kind: manifest.kind)
    if isListing, let onListed, let path = finished.path {
      if isCancelledLate { return phase = .over(.failure(.failed(.cancelled, stats, part: path))) }
      phase = .staying(result, until: nil)
      return onListed(
        ListedFolder(manifest: manifest, path: path, stats: stats, peers: connections.openedPeers, share: sharing.share)
      )
    }
    guard sharing.stays, finished.path != nil else { return phase = .over(.success(result)) }
    onUpdate(.staying(result))
    phase = isCancelledLate ? .over(.success(result)) : .staying(result, until: sharing.end(from: now))
  }

  /// It is over: its file is offered no longer, and a part file is free for the next download.
  func leave() {
    sharing.end()
    output.release()
    link.blocks.close()
  }
}
