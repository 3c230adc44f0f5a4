// `serve --metrics`: what a scraper reads, in Prometheus' text format, and that nobody else than this machine may ask.
import Foundation
import Posix
import TestSupport
import Testing

struct MetricsTests {
  private let workbench = Workbench()

  /// The samples of a page, by name and labels; every line of it is of the format, and each family is whole.
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

  @Test func `a scrape tells what was served to whom, and how connections ended`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: (3 << 20) + 17, "--metrics", "127.0.0.1:0")
    let url = try workbench.line(of: served.child, with: "metrics at http://127.0.0.1:")
    let before = try scrape(url)
    #expect(before["p2pnode_files"] == 1 && before["p2pnode_file_bytes"] == Double((3 << 20) + 17), "\(before)")
    #expect(before["p2pnode_uploaded_bytes_total"] == 0 && before["p2pnode_scanning"] == 0, "\(before)")
    #expect(before.keys.contains { $0.hasPrefix("p2pnode_build_info{version=\"") }, "\(before)")

    let get = try workbench.run("get", fileID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    var after = try scrape(url)
    // The end of the connection may be noticed a little later than get ends.
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

  @Test func `the dashboard draws numbers that there are, and all of them`() throws {
    let (served, _, _) = try workbench.serveFile(byteCount: 1_000, "--metrics", "127.0.0.1:0")
    let port = try #require(UInt16(served.address.split(separator: ":")[1]))
    let liar = try BlockingSocket(dialling: Endpoint(ipv4: (127, 0, 0, 1), port: port))
    try liar.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    _ = try liar.receiveToEnd()
    let url = try workbench.line(of: served.child, with: "metrics at http://")
    let samples = try scrape(url)
    let names = Set(samples.keys.map { $0.prefix { $0 != "{" } }).union(["p2pnode_disconnected_total"])
    let path = Binary.packageRoot + "/packaging/grafana/p2pnode.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
    let drawn = Set(text.matches(of: #/p2pnode_[a-z_]+/#).map(\.0))
    #expect(drawn == names)
  }

  @Test(arguments: ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "localhost:9464", "9464", "[fe80::1]:9464"])
  func `an address that others could reach is 64`(address: String) throws {
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--metrics", address)
    #expect(serve.code == 64, "\(serve)")
    #expect(serve.stderr.text.contains("an address of this machine alone"), "\(serve)")
  }

  @Test func `a port that is taken is 74`() throws {
    let (listener, port) = try LocalPort.listening()
    defer { close(listener) }
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:\(port)")
    #expect(serve.code == 74, "\(serve)")
    #expect(serve.stderr.text.contains("--metrics HOST:PORT"), "\(serve)")
  }
}
