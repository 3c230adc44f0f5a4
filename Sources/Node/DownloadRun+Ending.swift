// How a download ends: the file gets its name, perhaps it stays offered, and everybody is told goodbye.
import Content
import Posix
import Storage
import Transfer

extension DownloadRun {
  /// How long loops may take to say goodbye.
  private static let goodbyeGrace = Duration.milliseconds(250)

  func finish() throws(DownloadError) -> DownloadResult {
    let isComplete = if case .success? = outcome { storageError == nil } else { false }
    // Every leaf is written: while the disk takes what it has not yet, threads end and peers are told goodbye.
    if isComplete { journal?.handle(.completed, at: now) }
    stopFetching(isComplete: isComplete)
    let (unheard, isCancelled) = hearRest()
    guard var outcome else { preconditionFailure("the download runs") }
    if case .success = outcome, let storageError { outcome = .failure(.storage(storageError)) }
    var result: DownloadResult
    do throws(DownloadError) {
      result = try completed(try outcome.get(), unheard, isCancelled: isCancelled)
    } catch {
      stream.take()?.abandon()
      stop()
      if case .failure = outcome { try keep(unheard) }
      throw error
    }
    if sharing?.stay != nil, result.path != nil {
      onUpdate(.staying(result))
      if !isCancelled { stay() }
    }
    stop()
    result.stats.uploadedBytes = context.uploaded
    return result
  }

  /// The file is whole: it gets its name.
  private func completed(
    _ stats: DownloadStats, _ unheard: [JournalEvent], isCancelled: Bool
  ) throws(DownloadError) -> DownloadResult {
    if let stream {
      guard isPassedOn(stream, isCancelled: isCancelled) else { throw .failed(.cancelled, stats, part: nil) }
      self.stream = nil
      stream.join()
      do throws(PartFileError) { try stream.stream.finish(length: manifest!.length) } catch { throw .storage(error) }
    }
    do throws(PartFileError) {
      try journal?.end(unheard, at: now)
    } catch {
      throw .storage(error)
    }
    if part != nil { onUpdate(.progress(state.progress(at: now))) }
    if sharing?.stay != nil { watchOutput() }
    var stats = stats
    stats.uploadedBytes = context.uploaded
    let path = part.map { $0.outputPath(name) }
    return DownloadResult(stats: stats, path: path ?? found?.path, name: name, wasFound: found != nil)
  }

  /// Waits until the reader of a stream has taken all of it; false where the download is cancelled before.
  private func isPassedOn(_ stream: StreamWriter, isCancelled: Bool) -> Bool {
    stream.close()
    var isCancelled = isCancelled
    while !isCancelled {
      wait(milliseconds: -1)
      for message in control.takeAll() {
        switch message {
        case .streamEnded: return true
        case .cancelled: isCancelled = true
        default: break
        }
      }
    }
    return false
  }

  /// The download failed: what there is stays for a later one.
  private func keep(_ unheard: [JournalEvent]) throws(DownloadError) {
    if let part, !part.isResumed, !hasWritten {
      try? part.discard()
      return
    }
    // What is not kept after all is to be said, unless worse has been.
    do throws(PartFileError) { try journal?.end(unheard + [.stopped], at: now) } catch {
      if storageError == nil { throw .storage(error) }
    }
  }

  /// From now on somebody may change the output.
  private func watchOutput() {
    guard let part else { return }
    do throws(StoredFileError) { shared.finish(try part.finished(as: name)) } catch {
      // Nobody may find out later whether the output is still what was fetched.
      if case .busy(let errno) = error { return context.withdraw(shared, because: .unreadable(errno)) }
      context.withdraw(shared, because: error)
    }
  }

  /// Offers the finished file until that was long enough, or until it is cancelled or changed.
  private func stay() {
    let end: Instant? = if case .for(let duration)? = sharing?.stay { now + duration } else { nil }
    while true {
      let milliseconds = end.map { Int32(clamping: (max(0, ($0 - now).wholeNanoseconds) + 999_999) / 1_000_000) }
      wait(milliseconds: milliseconds ?? -1)
      if let end, now >= end { return }
      for message in control.takeAll() {
        switch message {
        case .cancelled: return
        case .unreadable(let error): return onUpdate(.unreadable(error))
        default: break  // of connections that the download no longer knows
        }
      }
    }
  }

  /// Ends all threads of the download but those that talk to peers. What has arrived for a part file that is not complete
  /// is still verified and written.
  private func stopFetching(isComplete: Bool) {
    shared.stopFetching()
    announce()
    asker.take()?.stop()
    // Who fetches from here stays connected; the others are told goodbye at once.
    if context.shared == nil { sayGoodbye() } else { context.tellAllLoops(.stopFetching) }
    if let (early, thread) = look.take() {
      early.stop()
      thread.join()
    }
    if let (storage, thread) = preparation.take() {
      storage.stop()
      thread.join()
    }
    resumer?.stop()
    if let verifiers = verifiers.take() { verifiers.stop(discarding: isComplete || stream != nil) }
    jobs.close(discarding: true)
    journal?.stop()
  }

  /// What threads have told of the disk since the download ended, and whether it was cancelled since.
  private func hearRest() -> (events: [JournalEvent], isCancelled: Bool) {
    var events: [JournalEvent] = []
    var isCancelled = false
    for message in control.takeAll() {
      switch message {
      case .prepared(.success(.part(let prepared))): if part == nil { part = prepared.file }
      case .verified(_, _, let chunk, let leaves, let leafHashes, _):
        hasWritten = true
        events.append(.verified(chunk, mask: leaves.mask, leafHashes: leafHashes))
      case .journal(let event): events.append(event)
      case .writeFailed(let error): if storageError == nil { storageError = error }
      case .cancelled: isCancelled = true
      default: break
      }
    }
    return (events, isCancelled)
  }

  private func sayGoodbye() { context.tellAllLoops(.shutDown(.done, grace: DownloadRun.goodbyeGrace)) }

  /// Ends what is left.
  func stop() {
    asker.take()?.stop()
    answerer.take()?.stop()
    sayGoodbye()
    jobs.close(discarding: true)
    for loop in loops { loop.join() }
    loops = []
    // No loop asks for a check any more. The thread may wait for seconds, and it holds the context.
    context.rechecker.stop()
    context.shared = nil  // it holds the context itself
  }
}
