// Signals as events of a descriptor, so that no code of this program runs in a signal handler.
import CLinux
import Glibc

/// The signals that the program handles.
public enum Signal: Int32, Sendable, CaseIterable {
  case hangUp = 1
  case interrupt = 2
  case terminate = 15
  case windowChanged = 28
  case continued = 18
}

/// A signalfd. Make it before any thread starts, so that every thread inherits the blocked signals.
public struct Signals: ~Copyable, Sendable {
  private let descriptor: FileDescriptor
  /// The descriptor to add to an `Epoll`.
  public var number: Int32 { descriptor.number }

  /// Blocks these signals for this thread and the threads that it starts. Ignores SIGPIPE and SIGXFSZ, so that the
  /// calls that cause them fail instead.
  public init(_ signals: [Signal]) throws(Errno) {
    Glibc.signal(SIGPIPE, SIG_IGN)
    Glibc.signal(SIGXFSZ, SIG_IGN)
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal.rawValue) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = FileDescriptor(
      owning: try retrying("signalfd") { signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)) })
  }

  /// Waits for the next signal and returns it.
  public func wait() -> Signal {
    while true {
      var poll = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      Glibc.poll(&poll, 1, -1)
      if let signal = next() { return signal }
    }
  }

  /// Returns the next signal that came; nil if there is none.
  public func next() -> Signal? {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    guard read(descriptor.number, &information, size) == size else { return nil }
    return Signal(rawValue: Int32(information.ssi_signo))
  }
}

extension Signals {
  /// Calls `body`. If it writes to a pipe that no process reads, it gets EPIPE and no SIGPIPE ends the process. Nothing
  /// else changes, since a library must not change how its program handles signals. The corresponding C functions are
  /// `pthread_sigmask` and `sigtimedwait`.
  public static func withoutBrokenPipe<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var (set, old, pending) = (sigset_t(), sigset_t(), sigset_t())
    sigemptyset(&set)
    sigaddset(&set, SIGPIPE)
    sigpending(&pending)
    let wasPending = sigismember(&pending, SIGPIPE) == 1
    pthread_sigmask(SIG_BLOCK, &set, &old)
    defer {
      // The SIGPIPE of such a write is pending for this thread only. Remove it.
      var now = timespec()
      while !wasPending, sigtimedwait(&set, nil, &now) < 0, errno == EINTR {}
      pthread_sigmask(SIG_SETMASK, &old, nil)
    }
    return try body()
  }
}
