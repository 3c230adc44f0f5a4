// `serve --metrics`: the page in Prometheus' text format. Only this machine may fetch it.
import Foundation
import Posix
import TestSupport
import Testing

struct MetricsTests {
  private let workbench = Workbench()

  /// Returns the samples of a page, by name and labels. Checks each line's format and that families are contiguous.
  private func scrape(_ url: String) throws -> [String: Double] {
    let match = try #require(url.firstMatch(of: #/127\.0\.0\.1:(\d+)/#))
    let port = try #require(UInt16(match.1))
    let socket = try BlockingSocket(dialling: Endpoint(ipv4: (127, 0, 0, 1), port: port))
    try socket.send(Array("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAccept: text/plain\r\n\r\n".utf8))
    let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
    let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
    try #require(parts.count == 2 && answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(answer)")
    #expect(parts[0].contains("Content-Length: \(parts[1].utf8.count)"), "\(answer)")
    #expect(parts[1].hasSuffix("\n"))
    var samples: [String: Double] = [:]
    var types: [Substring: Substring] = [:]
    var helped: Set<Substring> = []
    for line in parts[1].split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if let help = line.wholeMatch(of: #/# HELP ([a-z0-9_]+) .+/#) {
        #expect(helped.insert(help.1).inserted, "\(line)")
      } else if let type = line.wholeMatch(of: #/# TYPE ([a-z0-9_]+) (counter|gauge)/#) {
        #expect(helped.contains(type.1) && types[type.1] == nil, "\(line)")
        types[type.1] = type.2
      } else {
        let sample = try #require(
          line.wholeMatch(of: #/([a-z0-9_]+)(\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? (\d+)/#), "\(line)")
        let type = try #require(types[sample.1], "\(line)")
        #expect((type == "counter") == sample.1.hasSuffix("_total"), "\(line)")
        #expect(samples.updateValue(Double(sample.3)!, forKey: "\(sample.1)\(sample.2 ?? "")") == nil, "\(line)")
      }
    }
    return samples
  }

  @Test func `a scrape shows the uploads of each file and how connections ended`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: (3 << 20) + 17, "--metrics", "127.0.0.1:0")
    let url = try workbench.line(of: served.child, with: "metrics at http://127.0.0.1:")
    let before = try scrape(url)
    #expect(before["p2pnode_files"] == 1 && before["p2pnode_file_bytes"] == Double((3 << 20) + 17), "\(before)")
    #expect(before["p2pnode_uploaded_bytes_total"] == 0 && before["p2pnode_scanning"] == 0, "\(before)")
    #expect(before[#"p2pnode_disconnected_total{by="us",reason="bad_data"}"#] == 0, "known from the start: \(before)")
    #expect(before[#"p2pnode_turned_away_total{by="us",reason="wrong_key"}"#] == 0, "\(before)")
    #expect(before[#"p2pnode_withdrawn_total{reason="unreadable"}"#] == 0, "\(before)")
    #expect(before.keys.contains { $0.hasPrefix("p2pnode_build_info{version=\"") }, "\(before)")

    let get = try workbench.run("get", fileID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    var after = try scrape(url)
    // The server may notice the end of the connection a little after get has ended.
    try workbench.wait(for: "the connection's end") {
      after = (try? scrape(url)) ?? after
      return after["p2pnode_connections"] == 0
        && after.contains { $0.key.hasPrefix("p2pnode_disconnected_total{by=") && $0.value == 1 }
    }
    #expect(after["p2pnode_accepted_total"] == 1 && after["p2pnode_established_total"] == 1, "\(after)")
    #expect(after["p2pnode_opens_total"] == 1 && (after["p2pnode_requests_total"] ?? 0) >= 4, "\(after)")
    #expect(after["p2pnode_uploaded_bytes_total"] == Double((3 << 20) + 17), "\(after)")
    served.child.signal(SIGTERM)
    #expect(try workbench.ended(served.child).code == 0)
  }

  @Test func `the dashboard draws only existing metrics, and all of them`() throws {
    let (served, _, _) = try workbench.serveFile(byteCount: 1_000, "--metrics", "127.0.0.1:0", "--zone", "a")
    let port = try #require(UInt16(served.address.split(separator: ":")[1]))
    let liar = try BlockingSocket(dialling: Endpoint(ipv4: (127, 0, 0, 1), port: port))
    try liar.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    _ = try liar.receiveToEnd()
    let url = try workbench.line(of: served.child, with: "metrics at http://")
    let samples = try scrape(url)
    let get = try workbench.start([
      "get", String(repeating: "ab", count: 32), "--peer", served.address, "--chunk-timeout", "60", "--metrics",
      "127.0.0.1:0", "--zone", "a", "--verbose", "--peer", "127.0.0.1:\(try LocalPort.closed())",
    ])
    let fetched = try scrape(try workbench.line(of: get, with: "metrics at http://"))
    get.signal(SIGINT)
    try workbench.ended(get)
    let all = Array(samples.keys) + Array(fetched.keys)
    let names = Set(all.map { $0.prefix { $0 != "{" } }).union(["p2pnode_disconnected_total"])
    let rules = try String(
      contentsOfFile: Binary.packageRoot + "/packaging/prometheus/p2pnode.rules.yml", encoding: .utf8)
    #expect(Set(rules.matches(of: #/p2pnode_[a-z_]+/#).map(\.0)).subtracting(names) == [])
    let path = Binary.packageRoot + "/packaging/grafana/p2pnode.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
    let drawn = Set(text.matches(of: #/p2pnode_[a-z_]+/#).map(\.0))
    #expect(drawn == names)
  }

  @Test(arguments: ["localhost:9464", "9464", "127.0.0.1", "127.0.0.1:x"])
  func `serve exits with 64 if the address of --metrics is malformed`(address: String) throws {
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--metrics", address)
    #expect(serve.code == 64 && serve.stderr.text.contains("address of this machine"), "\(serve)")
    let get = try workbench.run(
      "get", String(repeating: "ab", count: 32), "--peer", "127.0.0.1:9", "--metrics", address)
    #expect(get.code == 64 && get.stderr.text.contains("address of this machine"), "\(get)")
  }

  /// Returns the status and the text of a page.
  private func page(_ path: String, _ url: String, host: String = "localhost") throws -> (status: String, text: String)
  {
    let match = try #require(url.firstMatch(of: #/:(\d+)/metrics/#))
    let port = try #require(UInt16(match.1))
    let socket = try BlockingSocket(dialling: Endpoint(ipv4: (127, 0, 0, 1), port: port))
    try socket.send(Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8))
    let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
    let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
    try #require(parts.count == 2, "\(answer)")
    return (String(answer.dropFirst(9).prefix(3)), String(parts[1]))
  }

  @Test func `a seed that hashes is alive and not ready, and is ready when its files are hashed`() throws {
    // Holes take no disk space, and are hashed like other bytes.
    _ = try workbench.makeFolder("served")
    let large = try workbench.makeFile("served/large", [])
    truncate(large, 4 << 30)
    let serve = try workbench.start(["serve", "served", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
    let url = try workbench.line(of: serve, with: "metrics at http://")
    let early = try page("/ready", url)
    #expect(early.status == "503" && early.text.hasPrefix("hashing: "), "\(early)")
    #expect(try page("/live", url) == ("200", "live\n"))
    truncate(large, 1 << 20)
    var ready = early
    try workbench.wait(for: "the seed is ready") {
      ready = (try? page("/ready", url)) ?? early
      return ready.status == "200"
    }
    #expect(ready.text == "ready: 1 file, 1048576 bytes\n", "\(ready)")
    #expect(try page("/ready", url, host: "seed.example.org").status == "403")
  }

  @Test func `a seed without files is never ready`() throws {
    _ = try workbench.makeFolder("empty")
    let serve = try workbench.start([
      "serve", "empty", "--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0",
    ])
    let url = try workbench.line(of: serve, with: "metrics at http://")
    try workbench.line(of: serve, with: "ready: 0 files")
    let ready = try page("/ready", url, host: "seed.example.org")
    #expect(ready == ("503", "no file is offered\n"), "\(ready)")
  }

  @Test func `a seed reports for each ID whether it is offered, and why files were withdrawn`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 100_000, "--metrics", "127.0.0.1:0")
    let url = try workbench.line(of: served.child, with: "metrics at http://")
    let folderID = try #require(served.folderIDs["./"])
    for id in [fileID, folderID] { #expect(try page("/ready?id=\(id)", url) == ("200", "ready: the ID is offered\n")) }
    let other = String(repeating: "ab", count: 32)
    #expect(try page("/ready?id=\(other)", url) == ("503", "the ID is not offered\n"))
    for query in ["id=ab", "id=", "id=\(fileID)&id=\(folderID)"] {
      #expect(try page("/ready?\(query)", url).status == "503", "\(query)")
    }
    #expect(try page("/ready?verbose", url).status == "200")

    let new = try workbench.makeFile("new", byteCount: 200_000, seed: 2)
    rename(new, path)
    try workbench.wait(for: "the new version", checkingEachMilliseconds: 20) { served.folderIDs["./"] != folderID }
    #expect(try page("/ready?id=\(fileID)", url).status == "503")
    #expect(try page("/ready?id=\(folderID)", url).status == "503")
    for id in [try served.fileID("data.bin"), try #require(served.folderIDs["./"])] {
      #expect(try page("/ready?id=\(id)", url).status == "200")
    }
    let samples = try scrape(url)
    #expect(samples[#"p2pnode_withdrawn_total{reason="removed"}"#] == 1, "a rename is no change in place: \(samples)")
    #expect(samples[#"p2pnode_withdrawn_total{reason="changed"}"#] == 0, "\(samples)")
  }

  @Test func `a peer with another swarm key is counted as such`() throws {
    for name in ["one.key", "other.key"] { #expect(try workbench.run("keygen", name).code == 0) }
    let (served, fileID, _) = try workbench.serveFile(
      byteCount: 1_000, "--metrics", "127.0.0.1:0", "--swarm-key", workbench.path("one.key"))
    let url = try workbench.line(of: served.child, with: "metrics at http://")
    let get = try workbench.run("get", fileID, "--peer", served.address, "--swarm-key", "other.key")
    #expect(get.code == 77, "\(get)")
    let samples = try scrape(url)
    #expect((samples[#"p2pnode_turned_away_total{by="us",reason="wrong_key"}"#] ?? 0) >= 1, "\(samples)")
  }

  @Test func `get uses the metrics address of its settings, and continues if that is in use`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let config = try workbench.makeFile("config", Array("metrics = 127.0.0.1:0\n".utf8))
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--config", config, "--keep-serving",
    ])
    let url = try workbench.line(of: get, with: "metrics at http://127.0.0.1:")
    try workbench.line(of: get, with: "Still serving out.bin")
    #expect(try page("/ready?id=\(fileID)", url).status == "200")
    #expect(try page("/ready?id=\(String(repeating: "ab", count: 32))", url).status == "503")

    let (listener, port) = try LocalPort.listening()
    defer { close(listener) }
    let second = try workbench.ended(
      try workbench.start(
        ["get", fileID, "--peer", served.address, "-o", "second.bin"],
        through: ["env", "P2PNODE_METRICS=127.0.0.1:\(port)"]))
    #expect(second.code == 0 && TestFile.areEqual(path, workbench.path("second.bin")), "\(second)")
    #expect(second.stderr.text.contains("metrics 127.0.0.1:\(port) (P2PNODE_METRICS) is in use"), "\(second)")
    let named = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", "third.bin", "--metrics", "127.0.0.1:\(port)")
    #expect(named.code == 74, "what the command line names must be there: \(named)")
  }

  @Test(arguments: ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"])
  func `the health check requests an address in the form that serve prints`(host: String) throws {
    let (served, _, _) = try workbench.serveFile(byteCount: 1_000, "--metrics", "\(host):0")
    let url = try workbench.line(of: served.child, with: "metrics at http://")
    let address = try #require(url.firstMatch(of: #/http://(.+)/metrics/#)).1
    let check = try workbench.start("bash", [Binary.packageRoot + "/docker/healthcheck", "ready", String(address)])
    try workbench.ended(check)
    #expect(check.code == 0 && check.stdout.text == "ready: 1 file, 1000 bytes\n", "\(check)")
  }

  @Test func `a get is ready when all its outputs are complete`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: (3 << 20) + 17, "--upload-limit", "1Mi")
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--metrics", "127.0.0.1:0", "--keep-serving",
      "--verbose",
    ])
    let url = try workbench.line(of: get, with: "metrics at http://")
    let early = try page("/ready", url)
    #expect(early == ("503", "0 of 1 download is complete\n"), "\(early)")
    #expect(try page("/live", url).status == "200")
    try workbench.line(of: get, with: "Still serving out.bin")
    #expect(try page("/ready", url) == ("200", "1 of 1 download is complete\n"))
    let samples = try scrape(url)
    #expect(samples["p2pnode_downloaded_bytes_total"] == Double((3 << 20) + 17), "\(samples)")
    #expect(samples[#"p2pnode_downloads{state="complete"}"#] == 1, "\(samples)")
    #expect(samples["p2pnode_chunks"] == 4 && samples["p2pnode_complete_chunks"] == 4, "\(samples)")
    get.signal(SIGTERM)
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
  }

  @Test func `serve exits with 74 if the port of --metrics is taken`() throws {
    let (listener, port) = try LocalPort.listening()
    defer { close(listener) }
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:\(port)")
    #expect(serve.code == 74, "\(serve)")
    #expect(serve.stderr.text.contains("--metrics HOST:PORT"), "\(serve)")
  }
}
