// Keys, hashes and key derivation, compared with the answers in their specifications.
import Testing

@testable import Sodium

private func key(_ digits: String) -> SecretKey {
  let bytes = bytes(digits)
  return SecretKey(copying: bytes.span.bytes)
}

private func point(_ digits: String) -> PublicKey {
  let bytes = bytes(digits)
  return PublicKey(bytes.span.bytes)
}

private func contents(_ key: borrowing SecretKey) -> String { key.withBytes { hex($0) } }

/// RFC 7748, section 6.1.
@Test func `two key pairs have the public keys and the shared secret of RFC 7748`() {
  let alice = key("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
  let bob = key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
  #expect(hex(alice.publicKey.bytes) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
  #expect(hex(bob.publicKey.bytes) == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
  let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
  guard let ofAlice = alice.sharedSecret(with: bob.publicKey), let ofBob = bob.sharedSecret(with: alice.publicKey)
  else {
    Issue.record("two good keys share no secret")
    return
  }
  let both = [contents(ofAlice), contents(ofBob)]
  #expect(both == [shared, shared])
}

@Test(arguments: [
  // Points of orders 1, 4, 8 and 8; then the prime itself, which equals zero.
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
])
func `a point of low order gives no shared secret`(_ digits: String) {
  let isRefused = SecretKey.random().sharedSecret(with: point(digits)) == nil
  #expect(isRefused)
}

@Test func `SHA-256 of parts equals SHA-256 of the whole`() {
  var hash = SHA256()
  for part in [Array("a".utf8), [], Array("bc".utf8)] { hash.update(part.span.bytes) }
  let result = hash.finish()
  #expect(hex(result.span.bytes) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
}

/// RFC 4231, section 4.3.
@Test func `HMAC-SHA256 of parts equals HMAC-SHA256 of the whole`() {
  let key = Array("Jefe".utf8)
  var hash = HMACSHA256(key: key.span.bytes)
  for part in [Array("what do ya want ".utf8), Array("for nothing?".utf8)] { hash.update(part.span.bytes) }
  let result = hash.finish()
  #expect(hex(result.span.bytes) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
}

/// RFC 5869, appendix A.3: no salt means a salt of zeros, and info is empty, as in Noise. It has 42 bytes of output.
@Test func `derived keys are those of RFC 5869`() {
  let zeros = key(String(repeating: "00", count: 32))
  let input = [UInt8](repeating: 0x0B, count: 22)
  var outputs = HKDF(chainingKey: zeros, input: input.span.bytes)
  let (first, second) = (contents(outputs.next()), contents(outputs.next()))
  #expect(first == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
  #expect(second.hasPrefix("9d201395faa4b61a96c8"))
}

@Test func `random keys differ, and a copy equals its original`() {
  #expect(contents(.random()) != contents(.random()))
  let secret = SecretKey.random()
  let (original, copied) = (contents(secret), contents(secret.copy()))
  #expect(original == copied)
  #expect(Random.uint64() != Random.uint64())
}

@Test func `wiping a secret leaves zeros`() {
  let secret = SecretKey.random()
  secret.memory.wipe()
  let wiped = contents(secret)
  #expect(wiped == String(repeating: "00", count: 32))
}

@Test func `constantTimeEqual is true for equal bytes only`() {
  let bytes: [UInt8] = [1, 2, 3]
  for (other, isEqual) in [([1, 2, 3], true), ([1, 2, 4], false), ([1, 2], false), ([], false)] as [([UInt8], Bool)] {
    #expect(constantTimeEqual(bytes.span.bytes, other.span.bytes) == isEqual)
  }
  let isEqualToNothing = constantTimeEqual(RawSpan(), RawSpan())
  #expect(isEqualToNothing)
}
