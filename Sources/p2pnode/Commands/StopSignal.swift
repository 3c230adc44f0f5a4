// SIGINT and SIGTERM, and SIGHUP where it means to reload, as something that threads can wait for.
import Posix
import Synchronization

/// The signals that end the command. Made before any other thread, which then all leave the signals to this.
final class StopSignal: Sendable {
  private let signals: Signals
  private let came = Atomic<Int32>(0)
  /// If true, a SIGHUP without a terminal means that the terminal has gone, and ends the command.
  private let beganOnTerminal = Terminal.isTerminal(.standardError)

  /// - `takesHangUp`: SIGHUP comes here as well, instead of ending the process.
  init(takesHangUp: Bool = false) throws(Failure) {
    Console.watchStops()
    do throws(Errno) { signals = try Signals([.interrupt, .terminate] + (takesHangUp ? [.hangUp] : [])) } catch {
      throw Failure(Exit.ioError, "cannot start: \(error); try again when the system has more to give")
    }
  }

  /// Blocks until a signal to end comes; calls `onHangUp` for each SIGHUP before it.
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

  /// Calls `cancel` at the first signal, on a thread of its own, and ends the process at the second: that one means now.
  /// - `isAtOnce`: the first signal ends the process, since nothing could be kept.
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

  /// The signal that came; 0 before it.
  var signal: Int32 { came.load(ordering: .acquiring) }

  var hasCome: Bool { came.load(ordering: .acquiring) != 0 }

  /// 130 for SIGINT, 143 for SIGTERM, as shells count.
  var exitCode: Int32 { 128 + came.load(ordering: .acquiring) }
}
