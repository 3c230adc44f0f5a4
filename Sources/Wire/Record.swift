// Records: how the stream of frames is cut, encrypted and numbered after the handshake. Each direction has its own key.
import Sodium

/// The sizes of a record. A record is `u16 length ‖ ciphertext`; the length is that of the ciphertext.
///
/// Source: `Protocol/README.md`, "Records".
public enum Record {
  /// Bytes before the ciphertext.
  public static let headerByteCount = 2
  /// How many bytes the ciphertext is longer than the plaintext.
  public static let tagByteCount = AEAD.tagByteCount
  /// The possible sizes of a ciphertext in bytes: at least one byte of plaintext, at most what the header can express.
  public static let ciphertextByteCounts = tagByteCount + 1...Int(UInt16.max)
  /// The most bytes of plaintext in one record.
  public static let plaintextByteCountMax = ciphertextByteCounts.upperBound - tagByteCount
  /// How many bytes a record is longer than its plaintext.
  public static let overhead = headerByteCount + tagByteCount
  /// The number of records after which a direction changes its key.
  static let rekeyInterval: UInt64 = 1 << 14
}

/// Why a record cannot be opened. After the first error the connection is closed without a GOODBYE.
public enum RecordError: Error, Hashable, Sendable {
  /// No ciphertext has this length.
  case length
  /// The ciphertext is not the next one that the peer sealed, or an earlier one failed.
  case authentication
}

/// Seals what this end sends.
public struct RecordSealer: ~Copyable, Sendable {
  private var cipher: CipherState

  init(_ cipher: consuming CipherState) { self.cipher = cipher }

  /// Makes a sealer without encryption, for a simulation. Nothing that a peer sends can select it.
  public static func unencrypted() -> RecordSealer { RecordSealer(.unencrypted()) }

  /// Writes a whole record to `out` from `offset` on. The plaintext has 1…65,519 bytes.
  /// - Returns: the number of bytes written, `plaintext.byteCount + Record.overhead`.
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

  /// Makes an opener without encryption, for a simulation. Nothing that a peer sends can select it.
  public static func unencrypted() -> RecordOpener { RecordOpener(.unencrypted()) }

  /// Returns the bytes of ciphertext after a header (in host order). Nil if the header is not valid.
  public static func length(ofHeader header: UInt16) -> Int? {
    Record.ciphertextByteCounts.contains(Int(header)) ? Int(header) : nil
  }

  /// Decrypts a record's ciphertext in place. The plaintext starts at the same byte.
  /// - Returns: the number of bytes of plaintext, `bytes.byteCount - Record.tagByteCount`.
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
  /// Changes the key after `rekeyInterval` records. The cipher is new after the handshake, so its nonce counts records.
  fileprivate mutating func rekeyAfterRecord() {
    if nonce % Record.rekeyInterval == 0 { rekey() }
  }
}
