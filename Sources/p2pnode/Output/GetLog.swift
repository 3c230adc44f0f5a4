// The output of `get`: hands each update of a download to one observer for each purpose.
import CommandSettings
import Content
import PeerNode
import Posix
import Transfer

/// Sees all updates of one download, in order, on one thread. The last call is either `ended` or `failed`.
protocol DownloadObserver: AnyObject {
  func see(_ update: DownloadUpdate)
  /// Reports the number of further connections that ended. They are not reported one by one.
  func leftOut(connectionEnds count: Int)
  /// The download succeeded, and any serving of its file after it is over.
  func ended(_ result: DownloadResult)
  /// - `failure`: the failure with which the command ends.
  func failed(_ error: DownloadError, _ failure: Failure)
  /// The download could not begin. It is the only call.
  func failedBeforeStart(_ failure: Failure)
}

extension DownloadObserver {
  func leftOut(connectionEnds count: Int) {}
  func failedBeforeStart(_ failure: Failure) {}
}

/// Marks the lines of one download among several.
enum LineTag {
  /// Returns the start of each line on stderr if several downloads run: the first digits of the ID, as in `[bbaeb9ee]
  /// `.
  static func prefix(_ fileID: FileID) -> String { "[\(fileID.hex.prefix(8))] " }
}

/// The settings that are needed to explain a download's figures.
struct Explaining {
  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  func explanation(of stats: DownloadStats) -> DownloadExplanation {
    DownloadExplanation(stats, maxWorkers: settings.workers, downloadLimit: settings.downloadLimit)
  }
}

/// Finds ends of connections that repeat the last one. A download that waits for peers dials the same addresses again
/// and again.
private struct RepeatedEnds {
  /// The most addresses to remember. At this number, all are forgotten.
  private static let addressesMax = 256

  private var isWaiting = false
  private var words: [Endpoint: String] = [:]

  mutating func see(_ update: DownloadUpdate) {
    if case .waiting(let wait) = update { isWaiting = wait != nil }
  }

  /// Whether the download waits and the last connection to the address ended in the same way.
  mutating func isRepeated(_ address: Endpoint, _ end: ConnectionEnd) -> Bool {
    if words.count >= RepeatedEnds.addressesMax { words = [:] }
    return words.updateValue(end.description, forKey: address) == end.description && isWaiting
  }
}

/// Hands the updates of a download to its observers.
final class GetLog {
  private let observers: [any DownloadObserver]
  private let failures: GetFailures
  private var ends = LineRate.ofConnectionEnds
  private var repeats = RepeatedEnds()

  /// - `json`: prints events on stdout. Nil: none.
  /// - `explains`: explains the figures at the end. Nil: no explanation.
  /// - `after`: runs a program when the download is done.
  /// - `stays`: how long the finished file stays offered.
  /// - `quiet`: whether only errors go to stderr.
  /// - `verbose`: whether each event is a line, even on a terminal.
  /// - `plans`: whether only the plan of a folder is wanted.
  /// - `updates`: whether a folder is brought to a version.
  /// - `metrics`: counts the download's figures.
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

  /// Makes the log of one of several downloads.
  /// - `row`: shows it on a terminal. Nil: each event is a line.
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

  /// Returns the failure with an exit code and advice.
  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID, target: DownloadTarget) -> Failure {
    failures.failure(error, stop: stop, fileID: fileID, target: target)
  }
}
