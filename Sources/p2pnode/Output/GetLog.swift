// What `get` says while it runs and at its end: one observer for each purpose, and nothing else.
import CommandSettings
import Content
import PeerNode
import Posix
import Transfer

/// Sees all that one download says, in its order, on one thread. Exactly one of `ended` and `failed` comes last.
protocol DownloadObserver: AnyObject {
  func see(_ update: DownloadUpdate)
  /// So many more connections ended, which are not told one by one.
  func leftOut(connectionEnds count: Int)
  /// The download and all that came after it are over.
  func ended(_ result: DownloadResult)
  /// - `failure`: what the command ends with.
  func failed(_ error: DownloadError, _ failure: Failure)
  /// It could not begin. Comes alone.
  func failedBeforeStart(_ failure: Failure)
}

extension DownloadObserver {
  func leftOut(connectionEnds count: Int) {}
  func failedBeforeStart(_ failure: Failure) {}
}

/// What tells the lines of one download from those of others.
enum LineTag {
  /// The start of each line on stderr, if several downloads run: the first digits of the ID, as in `[bbaeb9ee] `.
  static func prefix(_ fileID: FileID) -> String { "[\(fileID.hex.prefix(8))] " }
}

/// The settings by which the figures of a download are explained.
struct Explaining {
  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  func explanation(of stats: DownloadStats) -> DownloadExplanation {
    DownloadExplanation(stats, maxWorkers: settings.workers, downloadLimit: settings.downloadLimit)
  }
}

/// The ends of connections that say nothing new: a download that waits for peers dials the same addresses again and again.
private struct RepeatedEnds {
  /// Addresses that are remembered; then all are forgotten.
  private static let addressesMax = 256

  private var isWaiting = false
  private var words: [Endpoint: String] = [:]

  mutating func see(_ update: DownloadUpdate) {
    if case .waiting(let wait) = update { isWaiting = wait != nil }
  }

  /// Whether the download waits, and the last connection to the address ended in the same way.
  mutating func isRepeated(_ address: Endpoint, _ end: ConnectionEnd) -> Bool {
    if words.count >= RepeatedEnds.addressesMax { words = [:] }
    return words.updateValue(end.description, forKey: address) == end.description && isWaiting
  }
}

/// Hands what a download says to those that print it.
final class GetLog {
  private let observers: [any DownloadObserver]
  private let failures: GetFailures
  private var ends = LineRate.ofConnectionEnds
  private var repeats = RepeatedEnds()

  /// - `json`: says the same on stdout; nil: it says nothing there.
  /// - `explains`: explains the figures at the end; nil: explains nothing.
  /// - `after`: runs a program when the download is done.
  /// - `stays`: for how long the finished file stays offered.
  /// - `quiet`: nothing on stderr but errors.
  /// - `verbose`: a line an event, also on a terminal.
  /// - `plans`: whether the plan of a folder is all that is asked for.
  /// - `updates`: whether a folder is brought to a version.
  /// - `metrics`: counts what the download does.
  convenience init(
    json: GetJSON?, explains: Explaining?, after: (any DownloadObserver)? = nil, stays: Stay? = nil, quiet: Bool,
    verbose: Bool, plans: Bool = false, updates: Bool = false, metrics: (any DownloadObserver)? = nil
  ) {
    var observers: [any DownloadObserver] = metrics.map { [$0] } ?? []
    if let json { observers.append(json) } else if plans { observers.append(GetPlan()) }
    if !quiet {
      let isPlain = verbose || !Console.isTerminal
      if !isPlain { observers.append(GetDisplay()) }
      observers.append(GetSummary(isPlain: isPlain, explains: explains, stays: stays))
      if isPlain { observers.append(GetLines(isVerbose: verbose)) }
    }
    observers.append(GetSaved(isTold: !quiet, isPrinted: json == nil && !plans, isUpdate: updates))
    if let after { observers.append(after) }
    self.init(observers)
  }

  /// One of several downloads.
  /// - `row`: what shows it on a terminal; nil: a line an event.
  convenience init(
    oneOfSeveral fileID: FileID, json: GetJSON?, explains: Explaining?, after: (any DownloadObserver)?, stays: Stay?,
    quiet: Bool, verbose: Bool, row: (any DownloadObserver)?, metrics: (any DownloadObserver)? = nil
  ) {
    let prefix = LineTag.prefix(fileID)
    var observers: [any DownloadObserver] = metrics.map { [$0] } ?? []
    if let json { observers.append(json) }
    if let row { observers.append(row) }
    if !quiet {
      observers.append(
        GetSummary(isPlain: row == nil, isShort: row != nil, explains: explains, stays: stays, prefix: prefix))
      if row == nil { observers.append(GetLines(isVerbose: verbose, prefix: prefix)) }
    }
    if let after { observers.append(after) }
    self.init(observers, prefix: prefix)
  }

  private init(_ observers: [any DownloadObserver], prefix: String = "") {
    failures = GetFailures(prefix: prefix)
    self.observers = [failures] + observers
  }

  func print(_ update: DownloadUpdate) {
    repeats.see(update)
    if case .peerEnded(let address, _, let end) = update {
      if repeats.isRepeated(address, end) { return failures.see(update) }
      let (isTold, leftOut) = ends.next(at: Clock.monotonicNanoseconds)
      reportLeftOut(leftOut)
      if !isTold { return failures.see(update) }
    }
    for observer in observers { observer.see(update) }
  }

  func ended(_ result: DownloadResult) {
    reportLeftOut(ends.takeLeftOut())
    for observer in observers { observer.ended(result) }
  }

  private func reportLeftOut(_ count: Int) {
    if count > 0 { for observer in observers { observer.leftOut(connectionEnds: count) } }
  }

  func failed(_ error: DownloadError, _ failure: Failure) {
    reportLeftOut(ends.takeLeftOut())
    for observer in observers { observer.failed(error, failure) }
  }

  func failedBeforeStart(_ failure: Failure) { for observer in observers { observer.failedBeforeStart(failure) } }

  /// The failure as an exit code and what to do now.
  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID, target: DownloadTarget) -> Failure {
    failures.failure(error, stop: stop, fileID: fileID, target: target)
  }
}
