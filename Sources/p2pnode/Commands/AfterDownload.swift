// `get --exec`: runs a program after each completed download.
import Content
import PeerNode
import Posix

/// Runs one program for each output, one after the other, on its own thread. Any thread may call it.
final class AfterDownload: Sendable {
  fileprivate struct Output: Sendable {
    let fileID: FileID
    let path: String
    /// The start of each message about the output, and whether to print JSON events.
    let prefix: String
    let json: Bool
    let isOneOfSeveral: Bool
  }

  private struct State: Sendable {
    var waiting: [Output] = []
    var isRunning = false
    var child: ChildProcess?
    /// The signal that ends the command. Nil while it runs.
    var stop: Int32?
  }

  private let program: String
  private let state = Monitor(State())

  init(_ program: String) { self.program = program }

  /// Runs the program for a finished output. The output has its name, and its data is on the disk.
  fileprivate func run(_ output: Output) {
    let isFirst = state.change { state in
      state.waiting.append(output)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if isFirst { Thread.start(name: "p2p-exec") { self.runAll() }.detach() }
  }

  /// Waits until no program runs and none waits.
  func finish() { state.wait { $0.isRunning ? nil : () } }

  /// Passes the signal that ends the command to the running program. No other program starts.
  func stop(_ signal: Int32) {
    let child = state.change { state in
      state.stop = signal
      return state.child
    }
    child?.send(signal: signal)
  }

  private func runAll() {
    while true {
      let next = state.change { state -> (Output, isStopped: Bool)? in
        if state.waiting.isEmpty {
          state.isRunning = false
          return nil
        }
        return (state.waiting.removeFirst(), state.stop != nil)
      }
      guard let (output, isStopped) = next else { return }
      if isStopped { say("was not started: interrupted", output) } else { runOne(output) }
    }
  }

  private func runOne(_ output: Output) {
    guard let path = Environment.absolutePath(output.path) else {
      return say("was not started: the working folder is gone", output)
    }
    let child: ChildProcess
    // If the program wrote to the terminal itself, its output would mix with the screen.
    let written = Console.isTerminal ? try? ChildOutput() : nil
    do throws(Errno) {
      child = try ChildProcess(
        program, [path], variables: ["P2PNODE_ID": output.fileID.hex, "P2PNODE_PATH": path], output: written)
    } catch {
      return say("cannot be started: \(error.reason.lowercased())", output)
    }
    let stop = state.change { state in
      state.child = child
      return state.stop
    }
    if let stop { child.send(signal: stop) }  // it came while the program started
    var lines = ChildLines()
    let end = written?.read(of: child) { lines.add($0) } ?? child.wait()
    lines.end()
    state.change { $0.child = nil }
    switch end {
    case .exited(0): tell(output) { $0.set("code", 0) }
    case .exited(let code): say("ended with exit code \(code)", output) { $0.set("code", code) }
    case .killed(let signal): say("was ended by signal \(signal)", output) { $0.set("signal", signal) }
    }
  }

  /// Reports that the program failed. The exit code of the command does not change, because the output exists.
  private func say(_ what: String, _ output: Output, _ fill: (inout JSONLine) -> Void = { _ in }) {
    let words = "--exec \(Console.escaped(program)) \(what); \(Console.escaped(output.path)) is complete"
    Console.log(.error, "\(output.prefix)p2pnode: \(words)")
    tell(output) { line in
      fill(&line)
      line.set("message", "\(program) \(what)")
    }
  }

  private func tell(_ output: Output, _ fill: (inout JSONLine) -> Void) {
    guard output.json else { return }
    var line = JSONLine(event: "exec")
    line.set("path", output.path)
    fill(&line)
    if output.isOneOfSeveral { line.set("id", output.fileID.hex) }
    Console.output(line.finished)
  }

  /// Prints the output of a program line by line above the screen.
  private struct ChildLines {
    /// A longer line is broken.
    private static let lineBytesMax = 4_096
    private var rest: [UInt8] = []

    mutating func add(_ bytes: ArraySlice<UInt8>) {
      for byte in bytes {
        if byte == UInt8(ascii: "\n") {
          put()
        } else {
          rest.append(byte)
          if rest.count == ChildLines.lineBytesMax { put() }
        }
      }
    }

    mutating func end() { if !rest.isEmpty { put() } }

    private mutating func put() {
      Console.error(String(decoding: rest, as: UTF8.self))
      rest = []
    }
  }

  /// Returns the observer of a download, which runs the program when the download is complete.
  func observer(of fileID: FileID, isOneOfSeveral: Bool, json: Bool) -> any DownloadObserver {
    Observer(self) { path in
      Output(
        fileID: fileID, path: path, prefix: isOneOfSeveral ? LineTag.prefix(fileID) : "", json: json,
        isOneOfSeveral: isOneOfSeveral)
    }
  }

  private final class Observer: DownloadObserver {
    private let after: AfterDownload
    private let output: (String) -> Output
    private var isDone = false

    init(_ after: AfterDownload, output: @escaping (String) -> Output) { (self.after, self.output) = (after, output) }

    func see(_ update: DownloadUpdate) { if case .staying(let result) = update { done(result) } }
    func ended(_ result: DownloadResult) { done(result) }
    func failed(_ error: DownloadError, _ failure: Failure) {}

    private func done(_ result: DownloadResult) {
      guard !isDone, let path = result.path else { return }
      isDone = true
      after.run(output(path))
    }
  }
}
