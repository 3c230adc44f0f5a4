// The keyed hash of a fileID, compared with another implementation.
import Content
import Sodium
import Testing

@testable import Wire

@Test(arguments: [0, 1, 6, 55, 56, 64, 65, 200])
func `HMAC of a file key equals the HMAC of libsodium`(_ count: Int) {
  let bytes = (0..<count).map { UInt8($0) }
  for key in [Digest.zero, Digest(sha256: bytes.span.bytes)] {
    var hash = HMACSHA256(key: key.bytes.span.bytes)
    hash.update(bytes.span.bytes)
    let due = Digest(hash.finish())
    #expect(Digest(hmacSHA256: bytes.span.bytes, key: key) == due)
  }
}
