// The two ciphers with known answers, and sealing and opening at many sizes and places.
import Testing

@testable import Sodium

private let available = [AEAD.Algorithm.chaChaPoly, .aesGCM].filter(\.isAvailable)

private func nonce(_ algorithm: AEAD.Algorithm, _ counter: UInt64 = 0x0102_0304_0506_0708) -> AEAD.Nonce {
  algorithm == .aesGCM ? AEAD.Nonce(bigEndian: counter) : AEAD.Nonce(littleEndian: counter)
}

private func cipher(_ algorithm: AEAD.Algorithm) -> AEAD {
  let key = [UInt8](0..<32)
  return AEAD(algorithm, key: SecretKey(copying: key.span.bytes))
}

private func seal(_ cipher: borrowing AEAD, _ plaintext: [UInt8], _ data: [UInt8] = []) -> [UInt8] {
  var out = [UInt8](repeating: 0, count: plaintext.count + AEAD.tagByteCount)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  cipher.seal(
    plaintext.span.bytes, nonce: nonce(cipher.algorithm), authenticating: data.span.bytes, into: &bytes)
  return out
}

/// Opens a ciphertext in both ways, which must agree. Nil if it does not open.
private func open(_ cipher: borrowing AEAD, _ ciphertext: [UInt8], _ data: [UInt8] = []) -> [UInt8]? {
  var apart = [UInt8](repeating: 0xEE, count: max(0, ciphertext.count - AEAD.tagByteCount))
  var apartElements = apart.mutableSpan
  var apartBytes = apartElements.mutableBytes
  let opensApart = cipher.open(
    ciphertext.span.bytes, nonce: nonce(cipher.algorithm), authenticating: data.span.bytes, into: &apartBytes)
  var inPlace = ciphertext
  var elements = inPlace.mutableSpan
  var bytes = elements.mutableBytes
  let opensInPlace = cipher.open(inPlace: &bytes, nonce: nonce(cipher.algorithm), authenticating: data.span.bytes)
  #expect(opensApart == opensInPlace)
  guard opensApart else { return nil }
  #expect(apart[...] == inPlace.prefix(apart.count))
  return apart
}

/// The answers come from OpenSSL: key 00…1f, plaintext "plaintext", associated data "ad".
@Test(arguments: available)
func `a cipher gives the known answer`(_ algorithm: AEAD.Algorithm) {
  let known =
    switch algorithm {
    case .chaChaPoly: "8025cc8dc54d8f60103e7e819eb0bd7038589e31a887feb4fd"
    case .aesGCM: "743d0467b3956ce6778ddd3e19e38a6059ea86349c81299467"
    }
  let cipher = cipher(algorithm)
  #expect(hex(seal(cipher, Array("plaintext".utf8), Array("ad".utf8))) == known)
}

/// GCM specification, test cases 13 and 14.
@Test(.enabled(if: AEAD.Algorithm.aesGCM.isAvailable))
func `AES-256-GCM gives the answers of its specification`() {
  let zeros = [UInt8](repeating: 0, count: 32)
  let cipher = AEAD(.aesGCM, key: SecretKey(copying: zeros.span.bytes))
  for (count, known) in [
    (0, "530f8afbc74536b9a963b4f1c4cb738b"),
    (16, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
  ] {
    var out = [UInt8](repeating: 0, count: count + 16)
    var elements = out.mutableSpan
    var bytes = elements.mutableBytes
    cipher.seal(zeros.span.bytes.extracting(0..<count), nonce: AEAD.Nonce(bigEndian: 0), into: &bytes)
    #expect(hex(out) == known)
  }
}

@Test(arguments: available)
func `sealed bytes of every kind of size open, in place and into another buffer`(_ algorithm: AEAD.Algorithm) {
  let cipher = cipher(algorithm)
  for count in [0, 1, 15, 16, 17, 4095, 65_519] {
    let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    #expect(open(cipher, seal(cipher, plaintext, [1, 2, 3]), [1, 2, 3]) == plaintext)
  }
}

@Test(arguments: available)
func `a ciphertext with any byte changed, cut off or added does not open`(_ algorithm: AEAD.Algorithm) {
  let cipher = cipher(algorithm)
  let sealed = seal(cipher, Array("some plaintext".utf8), [1])
  for i in sealed.indices {
    var changed = sealed
    changed[i] ^= 0x10
    #expect(open(cipher, changed, [1]) == nil)
    #expect(open(cipher, Array(sealed[..<i]), [1]) == nil)
  }
  #expect(open(cipher, sealed + [0], [1]) == nil)
  #expect(open(cipher, sealed, [2]) == nil)
  #expect(open(cipher, sealed, []) == nil)
}

@Test(arguments: available)
func `sealing writes the ciphertext from the offset on and nowhere else`(_ algorithm: AEAD.Algorithm) {
  let cipher = cipher(algorithm)
  let plaintext: [UInt8] = [1, 2, 3]
  var out = [UInt8](repeating: 0xEE, count: 30)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  cipher.seal(plaintext.span.bytes, nonce: nonce(algorithm), into: &bytes, at: 2)
  #expect(out[..<2] == [0xEE, 0xEE])
  #expect(Array(out[2..<21]) == seal(cipher, plaintext))
  #expect(out[21...].allSatisfy { $0 == 0xEE })
}

/// The answers come from OpenSSL: one byte "x" under the new key, with a nonce of zeros.
@Test(arguments: available)
func `rekeying makes the new key that Noise prescribes`(_ algorithm: AEAD.Algorithm) {
  let known =
    switch algorithm {
    case .chaChaPoly: "93779c28ffe78376d160e0fcbc20389b3b"
    case .aesGCM: "51149a3f1d7aa072b8f3f84230f476746d"
    }
  var cipher = cipher(algorithm)
  cipher.rekey(nonce: nonce(algorithm, .max))
  let plaintext = Array("x".utf8)
  var out = [UInt8](repeating: 0, count: 17)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  cipher.seal(plaintext.span.bytes, nonce: nonce(algorithm, 0), into: &bytes)
  #expect(hex(out) == known)
}
