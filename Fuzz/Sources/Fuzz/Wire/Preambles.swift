// The 16 unencrypted bytes before a handshake.
@testable import Wire

enum Preambles {
  static let target = Target(
    "preamble",
    seeds: { vectors in
      ["handshake-xx-aesgcm", "handshake-xx-chachapoly", "handshake-xxpsk0-aesgcm", "handshake-xxpsk0-chachapoly"]
        .flatMap { vectors.examples($0) { $0 == "preamble" } } + vectors.examples("invalid/preamble")
    }, run)

  /// Exactly the preambles that `Protocol/README.md`, section 5, lists.
  private static func isPreamble(_ bytes: [UInt8]) -> Bool {
    bytes.count == 16 && bytes.starts(with: "p2pnode\u{1}".utf8) && (bytes[8] == 1 || bytes[8] == 2) && bytes[9] <= 1
      && bytes[10...].allSatisfy { $0 == 0 }
  }

  private static func run(_ bytes: [UInt8]) {
    let bytes = Array(bytes.prefix(16))
    // Read as a listener does, one byte more each time. A refused preamble stays refused.
    var isRefused = false
    for count in 0...bytes.count {
      do throws(HandshakeError) {
        let preamble = try Preamble.decode(Array(bytes[..<count]))
        require(!isRefused, "a preamble is refused for good")
        require((preamble != nil) == isPreamble(Array(bytes[..<count])), "a preamble is whole with its 16 bytes")
        if let preamble { require(preamble.encode() == bytes, "a preamble has one form") }
      } catch {
        isRefused = true
      }
    }
    require(isRefused || bytes.count < 16 || isPreamble(bytes), "only a preamble is taken")
  }
}
