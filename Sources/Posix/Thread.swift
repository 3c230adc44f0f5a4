// Threads of the operating system, for loops and workers that run until their owner stops them.
import CLinux
import Glibc

/// A running thread. The code that starts it joins or detaches it, exactly once.
public struct Thread: Sendable {
  private let handle: pthread_t

  /// Starts a thread that runs `body` and ends. `top -H` shows its `name`, which has at most 15 bytes.
  ///
  /// The corresponding C function is `pthread_create`. The program traps if the system has no thread left.
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Thread {
    let box = Unmanaged.passRetained(Body(name: name, run: body))
    var handle = pthread_t()
    let code = pthread_create(&handle, nil, { runBody($0) }, box.toOpaque())
    precondition(code == 0, "pthread_create: \(String(cString: strerror(code)))")
    return Thread(handle: handle)
  }

  private init(handle: pthread_t) { self.handle = handle }

  /// Waits until the thread has ended.
  public func join() { pthread_join(handle, nil) }

  /// Lets the thread run and end on its own.
  public func detach() { pthread_detach(handle) }

  /// The number of processors on which this process may run, at least 1.
  public static var processorCount: Int {
    var set = [UInt64](repeating: 0, count: 128)  // one bit per processor
    guard sched_getaffinity(0, 8 * set.count, &set) == 0 else { return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    return max(1, set.reduce(0) { $0 + $1.nonzeroBitCount })
  }
}

private final class Body: Sendable {
  let name: String
  let run: @Sendable () -> Void
  init(name: String, run: @escaping @Sendable () -> Void) {
    self.name = name
    self.run = run
  }
}

private func runBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
  pthread_setname_np(pthread_self(), String(body.name.prefix(15)))
  body.run()
  return nil
}
