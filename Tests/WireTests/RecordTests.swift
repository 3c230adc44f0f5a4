// Records: their bytes, their order, their keys, and records that must not open.
import Sodium
import Testing

@testable import Wire

private func ownSealer(_ suite: CipherSuite) -> RecordSealer { RecordSealer(CipherState(suite, key: secretKey(0x42))) }
private func ownOpener(_ suite: CipherSuite) -> RecordOpener { RecordOpener(CipherState(suite, key: secretKey(0x42))) }

/// Computes the ciphertext of a record from the cipher alone.
private func ciphertext(_ suite: CipherSuite, _ key: [UInt8], _ number: UInt64, _ plaintext: [UInt8]) -> [UInt8] {
  let aead = AEAD(suite == .aesGCM ? .aesGCM : .chaChaPoly, key: secretKey(key))
  var out = [UInt8](repeating: 0, count: plaintext.count + 16)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  let nonce = suite == .aesGCM ? AEAD.Nonce(bigEndian: number) : AEAD.Nonce(littleEndian: number)
  aead.seal(plaintext.span.bytes, nonce: nonce, into: &bytes)
  return out
}

@Test(arguments: CipherSuite.available)
func `the key of records changes after every 16,384, and record numbers continue`(_ suite: CipherSuite) {
  var sealer = ownSealer(suite)
  var opener = ownOpener(suite)
  let zeros = [UInt8](repeating: 0, count: 32)
  var key = [UInt8](repeating: 0x42, count: 32)
  for number in 0..<UInt64(2 * 16_384 + 2) {
    if number == 16_384 || number == 32_768 { key = Array(ciphertext(suite, key, .max, zeros).prefix(32)) }
    let plaintext = [UInt8(truncatingIfNeeded: number)]
    let record = sealer.record(plaintext)
    let opened = opener.plaintext(record.dropFirst(2))
    guard opened == plaintext else {
      Issue.record("record \(number) does not open")
      return
    }
    if number % 16_384 < 2 || number % 16_384 > 16_381 {
      #expect(record == [0, 17] + ciphertext(suite, key, number, plaintext), "record \(number)")
    }
  }
}

@Test(arguments: CipherSuite.available)
func `records of every kind of size open`(_ suite: CipherSuite) {
  var sealer = ownSealer(suite)
  var opener = ownOpener(suite)
  for count in [1, 2, 255, 256, 65_518, 65_519] {
    let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    let record = sealer.record(plaintext)
    let header = UInt16(record[0]) << 8 | UInt16(record[1])
    #expect(RecordOpener.length(ofHeader: header) == record.count - 2)
    let opened = opener.plaintext(record.dropFirst(2))
    #expect(opened == plaintext)
  }
}

@Test func `headers from 17 on are record lengths`() {
  #expect(RecordOpener.length(ofHeader: 0) == nil)
  #expect(RecordOpener.length(ofHeader: 16) == nil)
  #expect(RecordOpener.length(ofHeader: 17) == 17)
  #expect(RecordOpener.length(ofHeader: .max) == 65_535)
}

@Test(arguments: CipherSuite.available)
func `a changed record does not open, and no record after it does`(_ suite: CipherSuite) {
  var sealer = ownSealer(suite)
  let record = Array(sealer.record([1, 2, 3]).dropFirst(2))
  for i in record.indices {
    var opener = ownOpener(suite)
    var changed = record
    changed[i] ^= 0x80
    let opened = opener.plaintext(changed)
    #expect(opened == nil)
    let afterwards = opener.plaintext(record)
    #expect(afterwards == nil, "the first failure is the last")
  }
}

@Test(arguments: CipherSuite.available)
func `a repeated record, a record after a gap and a record of the other direction do not open`(_ suite: CipherSuite) {
  var sealer = ownSealer(suite)
  let first = sealer.record([1]).dropFirst(2)
  let second = sealer.record([2]).dropFirst(2)
  var repeated = ownOpener(suite)
  let once = repeated.plaintext(first)
  let twice = repeated.plaintext(first)
  #expect(once == [1] && twice == nil)
  var skipping = ownOpener(suite)
  let skipped = skipping.plaintext(second)
  #expect(skipped == nil)
  guard var ends = ChannelEnds(ChannelKind(suite: suite, isPrivate: false)) else {
    Issue.record("the handshake failed")
    return
  }
  let sent = ends.dialer.sealer.record([1])
  let reflected = ends.dialer.opener.plaintext(sent.dropFirst(2))
  #expect(reflected == nil)
}

@Test func `a ciphertext of a length that no record has is refused`() {
  for count in [0, 1, 16, 65_536] {
    var bytes = [UInt8](repeating: 0, count: count)
    var opener = ownOpener(.chaChaPoly)
    var elements = bytes.mutableSpan
    var raw = elements.mutableBytes
    var error: RecordError?
    do throws(RecordError) { _ = try opener.open(inPlace: &raw) } catch let e { error = e }
    #expect(error == .length)
  }
}

@Test func `sealing writes a record from the offset on`() {
  var sealer = ownSealer(.chaChaPoly)
  var same = ownSealer(.chaChaPoly)
  let plaintext: [UInt8] = [1, 2, 3]
  var out = [UInt8](repeating: 0xEE, count: 30)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  let written = sealer.seal(plaintext: plaintext.span.bytes, into: &bytes, at: 5)
  let record = same.record(plaintext)
  #expect(Array(out[5..<5 + written]) == record)
  #expect(out[..<5].allSatisfy { $0 == 0xEE } && out[(5 + written)...].allSatisfy { $0 == 0xEE })
}

@Test func `records of the simulation have the lengths of real ones, also after 16,384`() {
  var sealer = RecordSealer.unencrypted()
  var opener = RecordOpener.unencrypted()
  for number in 0..<16_386 {
    let plaintext = [UInt8(truncatingIfNeeded: number), 7]
    let record = sealer.record(plaintext)
    let opened = opener.plaintext(record.dropFirst(2))
    guard record.count == 20, opened == plaintext else {
      Issue.record("record \(number)")
      return
    }
  }
}
