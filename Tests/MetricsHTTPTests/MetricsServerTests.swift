// The metrics server with correct scrapers and with misbehaving ones.
import Posix
import TestSupport
import Testing

@testable import MetricsHTTP

@Suite struct MetricsServerTests {
  private static let local = Endpoint(ipv4: (127, 0, 0, 1), port: 0)
  private static let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)

  private func scrape(_ server: MetricsServer) throws -> String {
    let socket = try BlockingSocket(dialling: server.address)
    try socket.send(MetricsServerTests.request)
    return String(decoding: try socket.receiveToEnd(), as: UTF8.self)
  }

  @Test func `a long page arrives complete each time`() throws {
    let page = String(repeating: "p2pnode_a 1\n", count: 400_000)
    let server = try MetricsServer(at: MetricsServerTests.local) { _, _ in HTTPPage(page) }
    defer { server.stop() }
    for _ in 0..<3 { #expect(try scrape(server).hasSuffix("\r\n\r\n" + page)) }
  }

  @Test func `a request that arrives byte by byte is answered`() throws {
    let server = try MetricsServer(at: MetricsServerTests.local) { _, _ in HTTPPage("page\n") }
    defer { server.stop() }
    let socket = try BlockingSocket(dialling: server.address)
    for byte in MetricsServerTests.request { try socket.send([byte]) }
    #expect(String(decoding: try socket.receiveToEnd(), as: UTF8.self).hasSuffix("page\n"))
  }

  @Test func `a browser that DNS rebinding led here gets no page`() throws {
    let server = try MetricsServer(at: MetricsServerTests.local) { _, _ in HTTPPage("page\n") }
    defer { server.stop() }
    let socket = try BlockingSocket(dialling: server.address)
    try socket.send(Array("GET /metrics HTTP/1.1\r\nHost: rebound.example:9464\r\n\r\n".utf8))
    let answer = String(decoding: try socket.receiveToEnd(), as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 403 ") && !answer.hasSuffix("page\n"))
  }

  @Test func `a request head that never ends is refused`() throws {
    let server = try MetricsServer(at: MetricsServerTests.local) { _, _ in HTTPPage("page\n") }
    defer { server.stop() }
    let socket = try BlockingSocket(dialling: server.address)
    try socket.send(Array("GET /metrics HTTP/1.1\r\n".utf8) + [UInt8](repeating: 0x61, count: 9_000))
    socket.finishSending()
    #expect(String(decoding: try socket.receiveToEnd(), as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
    #expect(try scrape(server).hasSuffix("page\n"))
  }

  @Test func `silent clients and clients that leave do not keep others from the page`() throws {
    let server = try MetricsServer(at: MetricsServerTests.local) { _, _ in HTTPPage("page\n") }
    defer { server.stop() }
    var silent: [BlockingSocket] = []
    let began = Clock.monotonicNanoseconds
    for _ in 0..<2 * MetricsServer.connectionsMax { silent.append(try BlockingSocket(dialling: server.address)) }
    for _ in 0..<40 { _ = try BlockingSocket(dialling: server.address) }
    #expect(try scrape(server).hasSuffix("page\n"))
    // The oldest connection was closed for newer ones, long before its timeout.
    #expect(try silent[0].receiveToEnd().isEmpty)
    #expect(Clock.monotonicNanoseconds - began < MetricsServer.timeNanosecondsMax)
    #expect(silent.count == 2 * MetricsServer.connectionsMax)
  }
}
