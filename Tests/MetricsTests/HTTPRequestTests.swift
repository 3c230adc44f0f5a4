// What a scraper may say, and what it gets; the text of a page.
import Testing

@testable import Metrics

@Suite struct HTTPRequestTests {
  private func answer(to text: String) -> String? {
    HTTPRequest(Array(text.utf8)).answer { "page\n" }.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [
    "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.1\n\n",
    "GET /metrics?name=a HTTP/1.1\r\n\r\n",
  ])
  func `the page is given, with its length and type`(request: String) throws {
    let given = try #require(answer(to: request))
    #expect(given.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(given.contains("Content-Type: text/plain; version=0.0.4"))
    #expect(given.contains("Content-Length: 5\r\n"))
    #expect(given.hasSuffix("\r\n\r\npage\n"))
  }

  @Test func `every start of a request is incomplete`() {
    let request = Array("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for count in 0..<request.count { #expect(HTTPRequest(Array(request[..<count])) == .incomplete, "\(count)") }
  }

  @Test(arguments: [
    ("HEAD /metrics HTTP/1.1\r\n\r\n", "200"), ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
    ("GET / HTTP/1.1\r\n\r\n", "404"), ("GET /metricsx HTTP/1.1\r\n\r\n", "404"),
    ("GET metrics HTTP/1.1\r\n\r\n", "400"), ("GET /metrics HTTP/2\r\n\r\n", "400"), ("\r\n\r\n", "400"),
    ("GET /metrics\r\n\r\n", "400"), ("GET  /metrics HTTP/1.1\r\n\r\n", "400"), ("\u{1}\n\n", "400"),
    (" /metrics HTTP/1.1\n\n", "400"),
  ])
  func `other requests get their status`(request: String, status: String) throws {
    let given = try #require(answer(to: request))
    #expect(given.hasPrefix("HTTP/1.1 \(status) "))
    #expect(!given.contains("page"))
  }

  @Test func `a page has help, type and samples, with labels escaped`() {
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
