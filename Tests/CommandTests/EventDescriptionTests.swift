// Compares the description of `--json` in docs/json-events.md with what the commands print.
import Foundation
import Testing
import TestSupport
import Wire

/// The table of events in docs/json-events.md.
struct EventTable {
  private struct Row {
    var always: Set<String> = []
    var sometimes: Set<String> = []
  }

  /// Rows by event, or by event and list.
  private var rows: [String: Row] = [:]

  init() throws {
    let text = try String(contentsOf: URL(fileURLWithPath: "docs/json-events.md"), encoding: .utf8)
    let start = try #require(text.range(of: "| Event | Members | When |"))
    for line in text[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2) {
      guard line.hasPrefix("|") else { break }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      let names = words(cells[1])
      let row = words(cells[2]).reduce(into: Row()) { row, word in
        if word.hasSuffix("?") { row.sometimes.insert(String(word.dropLast())) } else { row.always.insert(word) }
      }
      for name in names { rows[name] = row }
    }
  }

  /// Returns the words in backquotes, and the words in asterisks with a leading asterisk.
  private func words(_ cell: String) -> [String] {
    cell.replacingOccurrences(of: "*statistics*`.", with: "*statistics.")
      .replacingOccurrences(of: "*statistics?*", with: "*statistics?").replacingOccurrences(
        of: "*statistics*", with: "*statistics"
      )
      .replacingOccurrences(of: "`", with: "").split(separator: " ").map(String.init)
  }

  var events: Set<String> { Set(rows.keys.filter { !$0.hasPrefix("*") && !$0.contains(".") }) }

  /// Returns how an object differs from its description. Nil if it does not.
  func difference(of object: [String: Any]) -> String? {
    guard let event = object["event"] as? String else { return "no event in \(object)" }
    guard var row = rows[event] else { return "\(event) is not described" }
    let statistics = rows["*statistics"] ?? Row()
    let isAlways = row.always.remove("*statistics") != nil
    let isPossible = row.sometimes.remove("*statistics") != nil
    if isAlways || isPossible && object["totalChunks"] != nil {
      row.always.formUnion(statistics.always)
      row.sometimes.formUnion(statistics.sometimes)
    }
    let isWithStatistics = row.always.isSuperset(of: statistics.always)
    row.always.formUnion(["event", "time"])
    if let difference = difference(of: object, from: row, event) { return difference }
    for (list, value) in object {
      guard let objects = value as? [[String: Any]] ?? (value as? [String: Any]).map({ [$0] }) else { continue }
      let name = isWithStatistics && event != "explain" ? "*statistics.\(list)" : "\(event).\(list)"
      guard let row = rows[name] else { return "\(name) is not described" }
      for object in objects { if let difference = difference(of: object, from: row, name) { return difference } }
    }
    return nil
  }

  private func difference(of object: [String: Any], from row: Row, _ name: String) -> String? {
    let members = Set(object.keys)
    let missing = row.always.subtracting(members)
    let unknown = members.subtracting(row.always).subtracting(row.sometimes)
    if !missing.isEmpty { return "\(name) has no \(missing.sorted())" }
    return unknown.isEmpty ? nil : "\(unknown.sorted()) of \(name) is not described"
  }
}

struct EventDescriptionTests {
  private let workbench = Workbench()

  @Test func `the events of each verb are those that its page describes`() throws {
    let table = try EventTable()
    var seen: Set<String> = []
    func check(_ output: Output, _ comment: Comment) throws {
      for object in try JSONLines.objects(output) {
        #expect(table.difference(of: object) == nil, comment)
        if let event = object["event"] as? String { seen.insert(event) }
      }
    }
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: (2 << 20) + 5)
    let served = try workbench.serve(folder, "--json", "--links")
    let file = try #require(try JSONLines.objects(served.child.stdout).first { $0["event"] as? String == "file" })
    let fileID = try #require(file["fileID"] as? String)
    for arguments in [
      ["id", path], ["id", folder], ["id", "none"], ["link", folder], ["link", path, "--peer", "192.0.2.1:9800"],
      ["verify", fileID, path], ["verify", String(repeating: "0", count: 64), path], ["verify", "nonsense", path],
      ["keygen", "key"], ["keygen", "key"], ["whoami", "--identity", "identity", "--create"],
      ["get", fileID, "--peer", served.address, "--explain", "-o", "out.bin"],
      ["get", fileID, "--peer", served.address, "--explain", "-o", "out.bin"],
      ["get", fileID, "--peer", "127.0.0.1:\(try LocalPort.closed())", "--peer", "name.invalid:1", "-o", "none.bin"],
      ["get", String(repeating: "0", count: 64), "--peer", served.address, "--explain"],
    ] {
      let run = try workbench.start(arguments + ["--json"])
      try workbench.ended(run, within: Workbench.patienceSeconds)
      #expect(run.stdout.lines.contains { $0.contains(#""code":"#) } == (run.code != 0), "\(run)")
      try check(run.stdout, "\(run)")
    }
    served.child.signal(SIGTERM)
    try workbench.ended(served.child, within: Workbench.patienceSeconds)
    try check(served.child.stdout, "\(served.child)")
    let expected: Set = [
      "listening", "file", "folder", "ready", "connected", "opened", "disconnected", "stopped", "hashing", "link",
      "verified", "key", "peerID",
      "unresolved", "connectionEnded", "peer", "found", "start", "workers", "chunk", "done", "failed",
      "explain",
    ]
    #expect(expected.subtracting(seen) == [], "never seen")
    #expect(seen.subtracting(table.events) == [], "not described")
  }

  @Test func `the events of a faulty download match their description and add up to its statistics`() throws {
    // So slow that the other peers are asked too.
    let (honest, fileID, path) = try workbench.serveFile(byteCount: 6 << 20 | 77, "--upload-limit", "2Mi")
    let sample = Sample("data.bin", bytes: Array(try #require(FileManager.default.contents(atPath: path))))
    var lying = SourceScript(sample)
    lying.onRequest = { try $0.answerWrongly($1, from: $2) }
    var late = SourceScript(sample)
    late.onRequest = { try $0.answerLate($1, from: $2) }
    let sources = try [lying, late].map { try FakeSource($0) }
    defer { for source in sources { source.stop() } }
    let peers = [honest.address] + sources.map { "127.0.0.1:\($0.address.port)" }
    let get = try workbench.start(
      ["get", fileID, "-o", "out.bin", "--json", "--explain", "--chunk-timeout", "1"]
        + peers.flatMap { ["--peer", $0] })
    try workbench.ended(get, within: Workbench.patienceSeconds)
    #expect(get.code == 0, "\(get)")
    let table = try EventTable()
    let objects = try JSONLines.objects(get.stdout)
    for object in objects { #expect(table.difference(of: object) == nil, "\(get)") }
    func named(_ event: String) -> [[String: Any]] { objects.filter { $0["event"] as? String == event } }
    let done = try #require(named("done").first)
    func number(_ member: String) -> Int? { done[member] as? Int }
    #expect(number("downloadedChunks") == named("chunk").count && named("chunk").count == 7, "\(get)")
    #expect(Set(named("chunk").compactMap { $0["chunk"] as? Int }).count == 7, "\(get)")
    #expect(number("bytes") == named("chunk").reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }, "\(get)")
    #expect(number("retries") == named("retry").count, "\(get)")
    #expect(number("hedges") == named("hedge").count, "\(get)")
    #expect(number("failedChunks") == named("chunkFailed").count, "\(get)")
    #expect(named("ban").compactMap { $0["peer"] as? String } == [sources[0].peerID.hex], "\(get)")
    #expect(named("failure").contains { $0["reason"] as? String == "timeout" }, "\(get)")
    for peer in try #require(done["peers"] as? [[String: Any]]) {
      func count(_ event: String, _ member: String = "peer") -> Int {
        named(event).count { $0[member] as? String == peer["peer"] as? String }
      }
      #expect(peer["chunks"] as? Int == count("chunk"), "\(get)")
      #expect(peer["failures"] as? Int == count("failure"), "\(get)")
      #expect(peer["hedges"] as? Int == count("hedge", "second"), "\(get)")
      #expect(peer["banned"] as? Bool == (count("ban") == 1), "\(get)")
    }
    let explain = try #require(named("explain").first)
    #expect((explain["peers"] as? [[String: Any]])?.count == 3, "\(get)")
    let limits = (explain["limits"] as? [[String: Any]])?.compactMap { $0["limit"] as? String }
    #expect(limits?.contains("failingPeers") == true, "\(get)")
  }
}
