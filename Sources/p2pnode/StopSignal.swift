// SIGINT and SIGTERM as something that threads can wait for.
import Posix
import Synchronization

/// The signals that end the command. Made before any other thread, which then all leave the signals to this.
final class StopSignal: Sendable {
  private let signals: Signals
  private let came = Atomic<Int32>(0)

  init() throws(Failure) {
    Console.watchStops()
    do throws(Errno) { signals = try Signals([.interrupt, .terminate]) } catch {
      throw Failure(Exit.ioError, "cannot start: \(error)")
    }
  }

  /// Blocks until a signal comes.
  func wait() {
    let signal = signals.wait()
    came.store(signal.rawValue, ordering: .releasing)
  }

  var hasCome: Bool { came.load(ordering: .acquiring) != 0 }

  /// 130 for SIGINT, 143 for SIGTERM, as shells count.
  var exitCode: Int32 { 128 + came.load(ordering: .acquiring) }
}
