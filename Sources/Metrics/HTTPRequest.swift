// As much of HTTP/1.1 (RFC 9112) as a scraper needs: which page a request asks for. Bodies are not read.

/// What a request asks for, as far as it came.
enum HTTPRequest: Equatable {
  /// Its head has not ended yet.
  case incomplete
  case malformed
  case wanted(method: String, path: String)

  /// Reads the head of a request.
  init(_ bytes: [UInt8]) {
    guard let end = HTTPRequest.endOfHead(bytes) else {
      self = .incomplete
      return
    }
    let line = bytes[..<end].prefix { $0 != 0x0D && $0 != 0x0A }
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    let isText = line.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    guard isText, words.count == 3, !words[0].isEmpty, words[1].first == UInt8(ascii: "/"),
      words[2].elementsEqual("HTTP/1.1".utf8) || words[2].elementsEqual("HTTP/1.0".utf8)
    else {
      self = .malformed
      return
    }
    let path = words[1].prefix { $0 != UInt8(ascii: "?") }
    self = .wanted(method: String(decoding: words[0], as: UTF8.self), path: String(decoding: path, as: UTF8.self))
  }

  /// Where an empty line ends the head.
  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    for i in bytes.indices where bytes[i] == 0x0A {
      if i + 1 < bytes.count, bytes[i + 1] == 0x0A { return i }
      if i + 2 < bytes.count, bytes[i + 1] == 0x0D, bytes[i + 2] == 0x0A { return i }
    }
    return nil
  }

  /// The answer, whole; nil while it is incomplete. `page` is made only where it is asked for.
  func answer(_ page: () -> String) -> [UInt8]? {
    switch self {
    case .incomplete: return nil
    case .malformed: return HTTPRequest.response("400 Bad Request", "this is not an HTTP request\n")
    case .wanted(let method, let path):
      guard method == "GET" || method == "HEAD" else {
        return HTTPRequest.response("405 Method Not Allowed", "only GET is answered\n", "Allow: GET, HEAD\r\n")
      }
      guard path == "/metrics" else { return HTTPRequest.response("404 Not Found", "see /metrics\n") }
      let type = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      return HTTPRequest.response("200 OK", page(), type, hasBody: method == "GET")
    }
  }

  private static func response(
    _ status: String, _ body: String, _ fields: String = "Content-Type: text/plain\r\n", hasBody: Bool = true
  ) -> [UInt8] {
    let head =
      "HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\nCache-Control: no-store\r\n"
      + "Connection: close\r\n\r\n"
    return Array((head + (hasBody ? body : "")).utf8)
  }
}
