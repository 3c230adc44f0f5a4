// The part of HTTP/1.1 (RFC 9112) that a scraper needs: the page and the host of a request. Bodies are not read.
import Posix

/// The answer to a request for a page.
public struct HTTPPage: Sendable {
  /// Whether the status is 200. Otherwise it is 503.
  public let isGood: Bool
  public let text: String

  /// - `isGood`: false if what the page is about is not true now, but may be later.
  public init(_ text: String, isGood: Bool = true) { (self.text, self.isGood) = (text, isGood) }
}

/// A request, as far as it was received.
enum HTTPRequest: Equatable {
  /// The head has not ended yet.
  case incomplete
  case malformed
  /// `query`: the text after the first "?" of the target, or nil if there is none. `host`: the value of the Host field,
  /// or nil if there is none, which only HTTP/1.0 permits.
  case wanted(method: String, path: String, query: String?, host: String?)

  /// Parses the head of a request.
  init(_ bytes: [UInt8]) {
    guard let end = HTTPRequest.endOfHead(bytes) else {
      self = .incomplete
      return
    }
    let lines = bytes[..<end].split(separator: 0x0A, omittingEmptySubsequences: false)
      .map { $0.last == 0x0D ? $0.dropLast() : $0 }
    let line = lines[0]
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    let isText = line.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    guard isText, words.count == 3, !words[0].isEmpty, words[1].first == UInt8(ascii: "/"),
      words[2].elementsEqual("HTTP/1.1".utf8) || words[2].elementsEqual("HTTP/1.0".utf8),
      let hosts = HTTPRequest.values(of: "host", in: lines.dropFirst()),
      hosts.count == 1 || hosts.isEmpty && words[2].elementsEqual("HTTP/1.0".utf8)
    else {
      self = .malformed
      return
    }
    let path = words[1].prefix { $0 != UInt8(ascii: "?") }
    let query = words[1].dropFirst(path.count + 1)
    self = .wanted(
      method: String(decoding: words[0], as: UTF8.self), path: String(decoding: path, as: UTF8.self),
      query: path.count < words[1].count ? String(decoding: query, as: UTF8.self) : nil, host: hosts.first)
  }

  /// Returns the values of the field with this lower-case name. Nil if a line is no field (RFC 9112, section 5).
  private static func values(of name: String, in lines: some Sequence<ArraySlice<UInt8>>) -> [String]? {
    var values: [String] = []
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
        line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { return nil }
      guard String(decoding: line[..<colon], as: UTF8.self).lowercased() == name else { continue }
      let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
      let end = value.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? value.startIndex
      values.append(String(decoding: value[..<end], as: UTF8.self))
    }
    return values
  }

  /// Returns the position of the empty line that ends the head.
  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    for i in bytes.indices where bytes[i] == 0x0A {
      if i + 1 < bytes.count, bytes[i + 1] == 0x0A { return i }
      if i + 2 < bytes.count, bytes[i + 1] == 0x0D, bytes[i + 2] == 0x0A { return i }
    }
    return nil
  }

  /// Whether a Host field names the loopback or the address that the server listens on. In a DNS rebinding attack, the
  /// name of a foreign web page resolves to this address. The field then has that name, and the page must not read the
  /// answer.
  private static func isOurs(_ host: String, _ address: Endpoint) -> Bool {
    guard let name = HostPort(parsing: host, defaultPort: 0)?.host else { return false }
    if name.lowercased() == "localhost" { return true }
    guard let named = Endpoint(numericHost: name, port: 0) else { return false }
    return named.isLoopback || named.ip == address.ip
  }

  /// Returns the whole answer of a server that listens on `address`. Nil while the request is incomplete.
  /// - `page`: returns the page for a path and query. Nil if there is none.
  func answer(at address: Endpoint, _ page: (_ path: String, _ query: String?) -> HTTPPage?) -> [UInt8]? {
    switch self {
    case .incomplete: return nil
    case .malformed: return HTTPRequest.response("400 Bad Request", "this is not an HTTP request\n")
    case .wanted(let method, let path, let query, let host):
      // A server that listens on a network is meant for other machines, which may use any name for it.
      guard !address.isLoopback || host.map({ HTTPRequest.isOurs($0, address) }) ?? true else {
        return HTTPRequest.response(
          "403 Forbidden", "the Host field names another machine: ask for localhost or a loopback address\n")
      }
      guard method == "GET" || method == "HEAD" else {
        return HTTPRequest.response("405 Method Not Allowed", "only GET is answered\n", "Allow: GET, HEAD\r\n")
      }
      guard let page = page(path, query) else {
        return HTTPRequest.response("404 Not Found", "see /metrics, /ready and /live\n")
      }
      let type = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      let status = page.isGood ? "200 OK" : "503 Service Unavailable"
      return HTTPRequest.response(status, page.text, type, hasBody: method == "GET")
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
