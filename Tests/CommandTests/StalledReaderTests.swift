// A reader of `serve`'s output that stops reading. The server goes on, and no line about a file is lost.
import Foundation
import Posix
import TestSupport
import Testing

struct StalledReaderTests {
  private let workbench = Workbench()
  private static let fileCount = 2_000
  private static let strangers = 2_500

  /// Makes a named pipe. The test holds its read end and does not read.
  private func pipe(_ name: String) throws -> (path: String, reader: Int32) {
    let path = workbench.path(name)
    mkfifo(path, 0o600)
    let reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard reader >= 0 else { throw Unexpected("cannot open \(path)") }
    return (path, reader)
  }

  /// Reads what is in the pipe now.
  private func read(_ reader: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(reader, &buffer, buffer.count)
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
    }
  }

  /// Connects with bytes that no p2pnode sends, so that each connection makes a line.
  private func connectStrangers(to address: String, count: Int) throws {
    let port = try #require(UInt16(address.split(separator: ":").last!))
    for _ in 0..<count {
      let socket = try BlockingSocket(dialling: Endpoint(ipv4: (127, 0, 0, 1), port: port))
      try socket.send(Array("no preamble here".utf8))
      _ = try? socket.receiveToEnd()
    }
  }

  @Test(arguments: [true, false])
  func `serve continues while its output is not read, and drops only lines that strangers cause`(isJSON: Bool) throws {
    let folder = try workbench.makeFolder("served")
    let long = String(repeating: "n", count: 150)
    for number in 0..<Self.fileCount {
      try workbench.makeFile("served/\(long)\(number)", byteCount: 100, seed: UInt64(number))
    }
    let path = try workbench.makeFile("served/data.bin", byteCount: 3 << 20)
    let fileID = String(try workbench.run("id", path).stdout.text.prefix(64))
    // With JSON, stdout is not read; otherwise stderr is not. The other stream shows the test how far the server is.
    let (stalled, reader) = try pipe("stalled")
    defer { close(reader) }
    let serve = try workbench.start(
      ["serve", folder, "--listen", "127.0.0.1:0"] + (isJSON ? ["--json"] : ["--verbose", "--metrics", "127.0.0.1:0"]),
      through: ["/bin/bash", "-c", isJSON ? #"exec "$@" > "$0""# : #"exec "$@" 2> "$0""#, stalled])
    var said: [UInt8] = []
    let address: String
    if isJSON {
      let listening = try workbench.line(of: serve, with: "listening on ")
      address = String(listening.split(separator: " ")[2])
      try workbench.line(of: serve, with: "ready: \(Self.fileCount + 1) files")
    } else {
      try workbench.wait(for: "all files") { serve.stdout.lines.count > Self.fileCount }
      said = read(reader)
      let text = String(decoding: said, as: UTF8.self)
      address = String(try #require(text.firstMatch(of: #/listening on (127\.0\.0\.1:\d+)/#)).1)
    }
    try connectStrangers(to: address, count: Self.strangers * (isJSON ? 1 : 2))
    let get = try workbench.run("get", fileID, "--peer", address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    // A file is removed while nothing is read.
    try FileManager.default.removeItem(atPath: path)
    let again = try workbench.start(["get", fileID, "--peer", address, "-o", "none.bin", "--chunk-timeout", "1"])
    try workbench.ended(again)
    serve.signal(SIGTERM)
    try workbench.wait(for: "the end") {
      said += read(reader)
      return serve.code != nil
    }
    said += read(reader)
    #expect(serve.code == 0, "\(serve)")
    try check(String(decoding: said, as: UTF8.self), isJSON: isJSON)
  }

  private func check(_ text: String, isJSON: Bool) throws {
    let lines = text.split(separator: "\n").map(String.init)
    let strangers: Int
    let dropped: Int
    if isJSON {
      let objects = try lines.map { try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
      func count(_ event: String) -> Int { objects.count { $0["event"] as? String == event } }
      #expect(count("file") == Self.fileCount + 1 && count("ready") == 1 && count("withdrawn") == 1)
      #expect(objects.last?["event"] as? String == "stopped")
      strangers = count("turnedAway")
      dropped = objects.reduce(0) { $0 + ($1["event"] as? String == "dropped" ? $1["lines"] as? Int ?? 0 : 0) }
    } else {
      #expect(lines.count { $0.contains("data.bin: was removed or replaced") } == 1)
      #expect(lines.last == "uploaded: 3145728 bytes")
      strangers = lines.count { $0.contains("[--------]") }
      dropped = lines.reduce(0) { sum, line in
        sum + (line.wholeMatch(of: #/(\d+) lines about connections were left out: .*/#).flatMap { Int($0.1) } ?? 0)
      }
    }
    #expect(dropped > 0)
    // The two getters that are not strangers add lines too: each connected, opened at most one file, and left.
    let all = Self.strangers * (isJSON ? 1 : 2)
    #expect(
      strangers <= all && strangers + dropped >= all && strangers + dropped <= all + 6, "\(strangers), \(dropped)")
  }
}
