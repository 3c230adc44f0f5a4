// A `get` under attack, and what its events show.
import Content
import Glibc
import Posix

/// A `get` that is running or has ended.
struct Getting {
  let child: Child
  let file: HostileFile
  let output: String

  /// Returns the address that it prints when it listens. Nil if it prints none.
  func listener(within seconds: Double = 10) -> Endpoint? {
    let deadline = Clock.seconds + seconds
    while Clock.seconds < deadline {
      if let (address, _) = Bench.listening(in: child.out) { return address }
      if child.look() { return nil }
      pause(milliseconds: 2)
    }
    return nil
  }

  /// How many seconds it ran.
  var seconds: Double { (child.endedAt ?? Clock.seconds) - child.began }

  /// The number of lost rounds: the most retries of one chunk, or its most timeouts, whichever is higher.
  var rounds: Int {
    var retries: [String: Int] = [:]
    var timeouts: [String: Int] = [:]
    for line in child.out.split(separator: "\n") {
      if line.hasPrefix(#"{"event":"retry""#) { retries[Bench.field("chunk", of: line) ?? "", default: 0] += 1 }
      if line.hasPrefix(#"{"event":"failure""#), line.contains("time") {
        timeouts[Bench.field("chunk", of: line) ?? "page", default: 0] += 1
      }
    }
    return max(retries.values.max() ?? 0, timeouts.values.max() ?? 0)
  }

  /// Whether it ended with code 0 and the right bytes.
  var isRight: Bool { child.code == 0 && file.matches(output) }

  /// How it ended, for a person.
  var ending: String {
    guard let code = child.code else { return "not done after \(decimal(seconds, 1)) s" }
    if code == 0 { return isRight ? "done" : "exit 0 with wrong bytes" }
    let failed = child.out.split(separator: "\n").last { $0.contains(#""event":"failed""#) }
    let reason = failed.flatMap { Bench.field("reason", of: $0) } ?? child.lastWords
    return "exit \(code) after \(decimal(seconds, 1)) s: \(reason)"
  }
}

extension Bench {
  /// Starts a download of a file.
  func get(_ file: HostileFile, from peers: [String], _ options: [String] = [], sharing: Bool = true) throws -> Getting
  {
    let output = folder("copy-\(nextOutput())")
    let listens = sharing ? ["--listen", "\(host(2)):0"] : ["--no-upload"]
    let child = try start(
      ["get", file.fileID.hex, "-o", output, "--json"] + listens + peers.flatMap { ["--peer", $0] } + options)
    return Getting(child: child, file: file, output: output)
  }

  /// Runs a complete download, kills it after `seconds`, and removes its copy.
  func download(
    _ file: HostileFile, from peers: [String], within seconds: Double, sharing: Bool = false
  ) throws -> (seconds: Double, isRight: Bool, ending: String) {
    let get = try get(file, from: peers, ["--quiet"], sharing: sharing)
    defer {
      get.child.end()
      unlink(get.output)
    }
    _ = get.child.wait(within: seconds)
    let ending = get.ending
    return (get.seconds, get.isRight, ending)
  }
}
