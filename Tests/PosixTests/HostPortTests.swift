// Texts of the form HOST:PORT, as in options and configuration files.
import Posix
import Testing

@Suite struct HostPortTests {
  @Test(arguments: ["seed:9800", "192.0.2.1:1", "[2001:db8::1]:65535", "\u{600}:9800", "a\u{301}:2", "[::\u{600}]:3"])
  func `a host and a port are written as they were read`(text: String) throws {
    let host = try #require(HostPort(parsing: text))
    #expect(host.description == text)
    #expect(HostPort(parsing: host.description) == host)
  }

  @Test(arguments: [
    "", ":1", "seed", "seed:", "seed:65536", "a:b:1", "[x]:1", "[::1", "[::1]1", "a b:1", "seed:\u{301}1",
  ])
  func `a text that is not HOST:PORT is refused`(text: String) { #expect(HostPort(parsing: text) == nil) }
}
