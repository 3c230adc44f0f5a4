// Lets threads wait for SIGINT and SIGTERM, and for SIGHUP where it means to reload.
import Posix
import Synchronization

/// The signals that end the command. Make it before any other thread starts, so that all threads block these signals.
final class StopSignal: Sendable {
  private let signals: Signals
  private let came = Atomic<Int32>(0)
  /// Whether stderr was a terminal at the start. If so, a SIGHUP after the terminal has gone ends the command.
  private let beganOnTerminal = Terminal.isTerminal(.standardError)

  /// - `takesHangUp`: whether SIGHUP is handled here instead of ending the process.
  init(takesHangUp: Bool = false) throws(Failure) {
    Console.watchStops()
    do throws(Errno) { signals = try Signals([.interrupt, .terminate] + (takesHangUp ? [.hangUp] : [])) } catch {
      throw Failure(
        Exit.ioError, "cannot start: \(error); free memory or raise the limit of open files (ulimit -n), and try again")
    }
  }

  /// Blocks until a signal to end comes. Calls `onHangUp` for each SIGHUP before it.
  func wait(onHangUp: () -> Void = {}) {
    while true {
      let signal = signals.wait()
      if signal == .hangUp, Terminal.isTerminal(.standardError) || !beganOnTerminal {
        onHangUp()
        continue
      }
      return came.store(signal.rawValue, ordering: .releasing)
    }
  }

  /// Calls `cancel` at the first signal, on a new thread. The second signal ends the process at once.
  /// - `isAtOnce`: whether the first signal ends the process, because nothing can be kept.
  /// - `onHangUp`: called on that thread for each SIGHUP before the first signal.
  func whenItComes(
    isAtOnce: Bool = false, onHangUp: @escaping @Sendable () -> Void = {}, _ cancel: @escaping @Sendable () -> Void
  ) {
    Thread.start(name: "p2p-stop") {
      self.wait(onHangUp: onHangUp)
      if isAtOnce { Process.exit(self.exitCode) }
      cancel()
      self.wait()
      Process.exit(self.exitCode)
    }.detach()
  }

  /// The number of the signal that came. 0 before it.
  var signal: Int32 { came.load(ordering: .acquiring) }

  var hasCome: Bool { came.load(ordering: .acquiring) != 0 }

  /// 130 for SIGINT and 143 for SIGTERM, as in shells.
  var exitCode: Int32 { 128 + came.load(ordering: .acquiring) }
}
