// Which requests a scraper may send, which answers it gets, and the text of a page.
import Posix
import Testing

@testable import MetricsHTTP

@Suite struct HTTPRequestTests {
  private func answer(
    to text: String, at address: Endpoint = Endpoint(ipv4: (127, 0, 0, 1), port: 9464)
  ) -> String? {
    HTTPRequest(Array(text.utf8)).answer(at: address) {
      switch ($0, $1) {
      case ("/metrics", _): HTTPPage("page\n")
      case ("/no", _): HTTPPage("no\n", isGood: false)
      case ("/query", let query): HTTPPage("query: \(query ?? "none")\n")
      default: nil
      }
    }.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n",
    "GET /metrics HTTP/1.1\nHost: localhost\n\n", "GET /metrics?name=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ])
  func `the server sends the page with its length and type`(request: String) throws {
    let given = try #require(answer(to: request))
    #expect(given.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(given.contains("Content-Type: text/plain; version=0.0.4"))
    #expect(given.contains("Content-Length: 5\r\n"))
    #expect(given.hasSuffix("\r\n\r\npage\n"))
  }

  @Test func `a page that answers no has status 503`() throws {
    let given = try #require(answer(to: "GET /no HTTP/1.0\r\n\r\n"))
    #expect(given.hasPrefix("HTTP/1.1 503 ") && given.hasSuffix("\r\n\r\nno\n"))
  }

  @Test(arguments: [
    ("/query", "none"), ("/query?", ""), ("/query?id=ab", "id=ab"), ("/query?a=1&b=?", "a=1&b=?"),
  ])
  func `a page gets the text after the question mark`(target: String, query: String) throws {
    let given = try #require(answer(to: "GET \(target) HTTP/1.0\r\n\r\n"))
    #expect(given.hasSuffix("\r\n\r\nquery: \(query)\n"))
  }

  @Test func `a listener on a network address accepts every host name`() throws {
    for address in [Endpoint(ipv4: (192, 0, 2, 1), port: 9464), Endpoint(ipv4: (0, 0, 0, 0), port: 9464)] {
      let given = try #require(answer(to: "GET /metrics HTTP/1.1\r\nHost: seed.example.org\r\n\r\n", at: address))
      #expect(given.hasPrefix("HTTP/1.1 200 "))
    }
  }

  @Test func `every truncated request is incomplete`() {
    let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
    for count in 0..<request.count { #expect(HTTPRequest(Array(request[..<count])) == .incomplete, "\(count)") }
  }

  @Test(arguments: [
    ("HEAD /metrics HTTP/1.0\r\n\r\n", "200"), ("POST /metrics HTTP/1.0\r\n\r\n", "405"),
    ("GET / HTTP/1.0\r\n\r\n", "404"), ("GET /metricsx HTTP/1.0\r\n\r\n", "404"),
    ("GET metrics HTTP/1.0\r\n\r\n", "400"), ("GET /metrics HTTP/2\r\n\r\n", "400"), ("\r\n\r\n", "400"),
    ("GET /metrics\r\n\r\n", "400"), ("GET  /metrics HTTP/1.0\r\n\r\n", "400"), ("\u{1}\n\n", "400"),
    (" /metrics HTTP/1.0\n\n", "400"), ("GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"),
    ("GET /metrics HTTP/1.1\r\n\r\n", "400"), ("GET /metrics HTTP/1.1\r\nno field\r\n\r\n", "400"),
    ("GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n", "400"),
    ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"),
    ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", "400"),
  ])
  func `other requests get the status of their fault`(request: String, status: String) throws {
    let given = try #require(answer(to: request))
    #expect(given.hasPrefix("HTTP/1.1 \(status) "))
    #expect(!given.contains("page"))
  }

  @Test(arguments: [
    "localhost", "localhost:9464", "LocalHost", "127.0.0.1", "127.0.0.1:9464", "127.1.2.3", "[::1]", "[::1]:9464",
    "127.0.0.1:80", " \tlocalhost \t",
  ])
  func `a request that names this machine as host is answered`(host: String) throws {
    let given = try #require(answer(to: "GET /metrics HTTP/1.1\r\nAccept: */*\r\nhOsT:\(host)\r\n\r\n"))
    #expect(given.hasPrefix("HTTP/1.1 200 "))
  }

  @Test(arguments: [
    "example.org", "example.org:9464", "localhost.example.org", "127.0.0.1.example.org", "192.0.2.1", "[2001:db8::1]",
    "0.0.0.0", "::1", "", "127.1", "2130706433", "localhost:9464:1", "localhost:x", "user@localhost", "[localhost]",
    "localhost, example.org", "localhost\u{0}",
  ])
  func `a request that names another host gets no page, as DNS rebinding sends such requests`(host: String) throws {
    for line in ["GET /metrics HTTP/1.1", "GET /metrics HTTP/1.0", "HEAD /metrics HTTP/1.1", "GET / HTTP/1.1"] {
      let given = try #require(answer(to: "\(line)\r\nHost: \(host)\r\n\r\n"))
      #expect(given.hasPrefix("HTTP/1.1 403 ") && given.contains("localhost"), "\(given)")
      #expect(!given.contains("page"))
    }
  }

  @Test func `a page has help, type and samples, with escaped labels`() {
    var page = Exposition()
    page.add("a_total", .counter, "What a is.", 3)
    page.add("b", .gauge, "What b is.", [.init(1, [("x", "a\"b\\c\nd"), ("y", "z")]), .init(2)])
    #expect(
      page.text == """
        # HELP a_total What a is.
        # TYPE a_total counter
        a_total 3
        # HELP b What b is.
        # TYPE b gauge
        b{x="a\\"b\\\\c\\nd",y="z"} 1
        b 2

        """)
  }
}
