// The command on a pseudoterminal, which `script` makes.
import Foundation
import Testing

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
struct TerminalTests {
  private let workbench = Workbench()

  @Test func `what a program of --exec writes stays above the screen, line by line`() throws {
    let folder = try workbench.makeFolder("served")
    for i in 0..<2 { try workbench.makeFile("served/\(i).bin", byteCount: 1_000 + i * 3_000_000, seed: UInt64(i + 1)) }
    let served = try workbench.serve(folder, "--upload-limit", "2Mi")
    // The first file is here at once. Its program writes two lines in pieces while the screen shows the second file.
    let text =
      "#!/bin/sh\nfor i in 1 2; do printf one; printf '_%s' $i; printf '_end\\n'; done; [ -t 1 ] || echo apart\n"
    let hook = try workbench.makeFile("hook", Array(text.utf8), mode: 0o755)
    let ids = "\(try served.fileID("0.bin")) \(try served.fileID("1.bin")) --exec \(hook)"
    let get = try get(ids, from: served.address, [:])
    #expect(get.code == 0, "\(get)")
    #expect(get.stdout.text.contains("STATE"), "\(get)")
    var terminal = VirtualTerminal(columns: 80, height: 24)
    terminal.write(get.stdout.text)
    for line in ["one_1_end", "one_2_end", "apart"] {
      #expect(terminal.text.count { $0 == line } == 2, "\(terminal.text)")
    }
    #expect(!terminal.text.contains { $0.contains("STATE") || $0.contains("━") }, "\(terminal.text)")
  }

  /// Runs a `get` on a terminal of 80 × 24. Its output is everything that the terminal received.
  private func get(_ fileID: String, from address: String, _ variables: [String: String]) throws -> Child {
    var environment = ProcessInfo.processInfo.environment
    environment.merge([
      "P2PNODE_HOME": workbench.path("home"), "P2PNODE_LAN": "off", "LC_ALL": "C.UTF-8", "TERM": "xterm",
      "SHELL": "/bin/sh",
    ]) { $1 }
    environment["NO_COLOR"] = nil
    environment.merge(variables) { $1 }
    let command = "stty cols 80 rows 24 && exec '\(try Binary.path())' get \(fileID) --peer \(address) --no-upload"
    return try workbench.ended(
      workbench.start("/usr/bin/script", ["-qec", command, "/dev/null"], environment: environment))
  }

  private func served() throws -> (address: String, fileID: String) {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 3 << 20, "--upload-limit", "3Mi")
    return (served.address, fileID)
  }

  @Test func `get draws its screen in place and leaves its statistics`() throws {
    let (address, fileID) = try served()
    let get = try get(fileID, from: address, [:])
    #expect(get.code == 0, "\(get)")
    let sent = get.stdout.text
    #expect(sent.contains("\u{1B}[3") && sent.contains("LATENCY"), "\(get)")
    var terminal = VirtualTerminal(columns: 80, height: 24)
    terminal.write(sent)
    let lines = terminal.text
    #expect(lines.first == "[Stats] File: data.bin", "\(lines)")
    #expect(lines.suffix(2).first?.hasPrefix("[Downloader] Download complete: data.bin") == true, "\(lines)")
    #expect(lines.last?.contains("data.bin (3.0 MiB in ") == true, "\(lines)")
    #expect(!lines.contains { $0.contains("LATENCY") || $0.contains("━") }, "\(lines)")
  }

  @Test func `streamed text stays on the terminal`() throws {
    let text = (1...40).map { "line \($0)\n" }.joined()
    let folder = try workbench.makeFolder("served")
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/text"))
    let served = try workbench.serve(folder)
    let get = try get("\(try served.fileID("text")) -o -", from: served.address, [:])
    #expect(get.code == 0, "\(get)")
    #expect(get.stdout.bytes.filter { $0 != UInt8(ascii: "\r") } == Array(text.utf8), "\(get)")
  }

  @Test func `NO_COLOR keeps the screen and removes the colours`() throws {
    let (address, fileID) = try served()
    let get = try get(fileID, from: address, ["NO_COLOR": "1"])
    #expect(get.code == 0, "\(get)")
    let sent = get.stdout.text
    #expect(sent.contains("LATENCY"), "\(get)")
    #expect(sent.firstMatch(of: #/\u{1B}\[[0-9;]*m/#) == nil, "\(get)")
  }

  @Test func `a terminal that cannot redraw gets plain lines`() throws {
    let (address, fileID) = try served()
    let get = try get(fileID, from: address, ["TERM": "dumb"])
    #expect(get.code == 0, "\(get)")
    let sent = get.stdout.text
    #expect(sent.contains("[Worker 0] Chunk 1/3 (33.3%) from "), "\(get)")
    #expect(!sent.contains("\u{1B}"), "\(get)")
  }
}
