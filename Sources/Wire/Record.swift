// Records: how the byte stream of frames is cut, encrypted and numbered after the handshake. One key a direction.
import Sodium

/// The measures of a record: `u16 length ‖ ciphertext`, the length being that of the ciphertext.
///
/// Source: `Protocol/README.md`, "Records".
public enum Record {
  /// Bytes before the ciphertext.
  public static let headerByteCount = 2
  /// Bytes by which the ciphertext is longer than the plaintext.
  public static let tagByteCount = AEAD.tagByteCount
  /// Bytes of ciphertext: at least one of plaintext, and what the header can say.
  public static let ciphertextByteCounts = tagByteCount + 1...Int(UInt16.max)
  /// Bytes of plaintext that one record holds at most.
  public static let plaintextByteCountMax = ciphertextByteCounts.upperBound - tagByteCount
  /// Bytes by which a record is longer than its plaintext.
  public static let overhead = headerByteCount + tagByteCount
  /// Records of one direction between two new keys.
  static let rekeyInterval: UInt64 = 1 << 14
}

/// The first failure is the last: the connection is closed, and nothing is said.
public enum RecordError: Error, Hashable, Sendable {
  /// No ciphertext has this length.
  case length
  /// The ciphertext is not the next one that the other end sealed, or an earlier one failed.
  case authentication
}

/// Seals what this end sends.
public struct RecordSealer: ~Copyable, Sendable {
  private var cipher: CipherState

  init(_ cipher: consuming CipherState) { self.cipher = cipher }

  /// Without any encryption, for a simulation; no byte that a peer sends leads to it.
  public static func unencrypted() -> RecordSealer { RecordSealer(.unencrypted()) }

  /// Writes a whole record for 1…65,519 bytes of plaintext to `out` from `offset` on.
  /// - Returns: the bytes written, `plaintext.byteCount + Record.overhead`.
  public mutating func seal(plaintext: RawSpan, into out: inout MutableRawSpan, at offset: Int = 0) -> Int {
    precondition(
      plaintext.byteCount >= 1 && plaintext.byteCount <= Record.plaintextByteCountMax, "a record holds 1…65,519 bytes")
    let length = UInt16(plaintext.byteCount + Record.tagByteCount)
    out.storeBytes(of: length.bigEndian, toByteOffset: offset, as: UInt16.self)
    cipher.seal(plaintext, into: &out, at: offset + Record.headerByteCount)
    cipher.rekeyAfterRecord()
    return plaintext.byteCount + Record.overhead
  }
}

/// Opens what the other end sends.
public struct RecordOpener: ~Copyable, Sendable {
  private var cipher: CipherState
  private var hasFailed = false

  init(_ cipher: consuming CipherState) { self.cipher = cipher }

  /// Without any encryption, for a simulation; no byte that a peer sends leads to it.
  public static func unencrypted() -> RecordOpener { RecordOpener(.unencrypted()) }

  /// Bytes of ciphertext that follow a header (in host order); nil where no record has such a header.
  public static func length(ofHeader header: UInt16) -> Int? {
    Record.ciphertextByteCounts.contains(Int(header)) ? Int(header) : nil
  }

  /// Replaces the ciphertext of a record by its plaintext, which starts at the same place.
  /// - Returns: the bytes of plaintext, `bytes.byteCount - Record.tagByteCount`.
  public mutating func open(inPlace bytes: inout MutableRawSpan) throws(RecordError) -> Int {
    guard Record.ciphertextByteCounts.contains(bytes.byteCount) else { throw .length }
    guard !hasFailed, cipher.open(inPlace: &bytes) else { return try fail() }
    cipher.rekeyAfterRecord()
    return bytes.byteCount - Record.tagByteCount
  }

  private mutating func fail() throws(RecordError) -> Int {
    hasFailed = true
    throw .authentication
  }
}

extension CipherState {
  /// The handshake's messages had other keys, so the number of the next message is the count of records.
  fileprivate mutating func rekeyAfterRecord() {
    if nonce % Record.rekeyInterval == 0 { rekey() }
  }
}
