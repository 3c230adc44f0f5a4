// The end of a download: stops its work, gives the file its name, and may keep it offered for a while.
import Storage
import Transfer

extension DownloadRun {
  /// Whether the download still requests data from peers.
  var isFetching: Bool { if case .fetching = phase { true } else { false } }

  var isOver: Bool { if case .over = phase { true } else { false } }

  /// The result. Call it only when `isOver`.
  var result: Result<DownloadResult, DownloadError> {
    guard case .over(let result) = phase else { preconditionFailure("the download runs") }
    return result
  }

  /// Asks the work of the download to end, without waiting for it. Connections that serve peers go on.
  func stopFetching(_ outcome: Outcome, at now: Instant) {
    let isComplete = if case .success = outcome { output.error == nil } else { false }
    if isComplete { output.completed(at: now) }
    sharing.stopFetching(at: now)
    search.stop()
    // The contents of a folder are fetched over the same connections as its listing.
    if !(isComplete && isListing && onListed != nil) { connections.releaseAll() }
    output.stop(isComplete: isComplete)
    phase = .stopped(outcome)
  }

  /// Continues the end when all work has ended.
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

  /// Gives the complete file its name.
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

  /// Ends the download without its file.
  /// - `keepsPartAt`: the time now, if verified data is kept for a later download; nil: it is not kept.
  func fail(_ error: DownloadError, keepsPartAt now: Instant? = nil) {
    output.abandonStream()
    phase = .over(.failure(error))
    if let now, output.keep(at: now) { phase = .finishing(.failure(error)) }
  }

  /// Takes the result of the last job: the file has its name, or the part file is in its final state.
  func finished(_ outcome: Outcome, _ result: Result<FinishedOutput, PartFileError>, at now: Instant) {
    switch (outcome, result) {
    case (.success(let stats), .success(let output)): succeeded(stats, output, at: now)
    case (.success, .failure(let error)): phase = .over(.failure(.storage(error)))
    // Reports that nothing is kept, unless an earlier error of the output is the cause.
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

  /// Releases everything after the end: the file is no longer offered, and another download can use the part file.
  func leave() {
    sharing.end()
    output.release()
    link.blocks.close()
  }
}
