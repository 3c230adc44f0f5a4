// Requests to the metrics page.
import Posix

@testable import MetricsHTTP

enum HTTPRequests {
  static let target = Target(
    "http",
    seeds: { _ in
      [
        "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD /metrics?x=1 HTTP/1.0\n\n", "POST / HTTP/1.1\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\n\r\n", "GET /metrics HTTP/2\r\n\r\n", "GET /metrics",
      ].map { Array($0.utf8) }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    let request = HTTPRequest(bytes)
    let isHeadThere = hasEmptyLine(bytes)
    require((request == .incomplete) == !isHeadThere, "a request is read when its head has ended")
    if request != .incomplete {
      require(HTTPRequest(bytes + [0x41, 0x0A, 0x0A]) == request, "what follows the head changes nothing")
    }
    if case .wanted(let method, let path, _, _) = request {
      require(!method.isEmpty && path.utf8.first == UInt8(ascii: "/"), "a request has a method and a path")
      require((method + path).utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "words have no blanks")
      require(!path.utf8.contains(UInt8(ascii: "?")), "a path ends before its query")
    }
    let listener = Endpoint(ipv4: (127, 0, 0, 1), port: 9464)
    guard let answer = request.answer(at: listener, { _, _ in HTTPPage("page") }) else {
      return require(!isHeadThere, "a whole request is answered")
    }
    check(String(decoding: answer, as: UTF8.self), isHead: bytes.starts(with: "HEAD ".utf8))
  }

  private static func hasEmptyLine(_ bytes: [UInt8]) -> Bool {
    bytes.indices.contains {
      bytes[$0...].starts(with: [0x0A, 0x0A]) || bytes[$0...].starts(with: [0x0A, 0x0D, 0x0A])
    }
  }

  private static func check(_ answer: String, isHead: Bool) {
    let lines = answer.split(separator: "\r\n", omittingEmptySubsequences: false)
    require(lines[0].hasPrefix("HTTP/1.1 "), "an answer has a status")
    guard let end = lines.firstIndex(of: "") else { return require(false, "an answer has a head") }
    let body = lines[(end + 1)...].joined(separator: "\r\n")
    let length = lines.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) }
    require(length == body.utf8.count || isHead && body.isEmpty, "an answer is as long as it says")
  }
}
