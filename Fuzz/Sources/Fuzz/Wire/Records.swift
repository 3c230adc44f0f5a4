// Records in transit: intact, changed, cut, repeated or missing.
import Sodium

@testable import Wire

enum Records {
  static let target = Target(
    "record",
    seeds: { vectors in
      [[0, 0, 5, 0, 9], [1, 0, 200, 1, 3, 7], [0, 0, 1, 0, 1, 3, 0, 2, 4]]
        + vectors.examples("invalid/record") { $0 != "key" }.map { [2, 9] + $0 }
    }, run)

  private static func cipher(_ suite: CipherSuite) -> CipherState {
    CipherState(suite, key: SecretKey(copying: [UInt8](repeating: 9, count: 32).span.bytes))
  }

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let suite: CipherSuite = input.u8() & 1 == 0 ? .chaChaPoly : CipherSuite.available[0]
    var sealer = RecordSealer(cipher(suite))
    var opener = RecordOpener(cipher(suite))
    var sealedCount = 0
    var last: (number: Int, plaintext: [UInt8], ciphertext: [UInt8])?
    // The number of opened records. Nil after one that did not open.
    var openedCount: Int? = 0
    for _ in 0..<64 where !input.isAtEnd {
      let step = input.u8()
      if step & 7 <= 3 {
        let plaintext = [UInt8](repeating: step, count: 1 + Int(input.u8()))
        last = (sealedCount, plaintext, sealer.sealed(plaintext))
        sealedCount += 1
      }
      let sent = last?.ciphertext ?? []
      let ciphertext: [UInt8]
      switch step & 7 {
      case 0, 4: ciphertext = sent
      case 1: ciphertext = changed(sent, &input)
      case 2: ciphertext = Array(sent.dropLast(1 + Int(input.u8() & 15)))
      case 3: continue  // held back or lost
      default: ciphertext = input.take(Int(input.u8()))
      }
      let isNext = openedCount != nil && last?.number == openedCount && ciphertext == sent
      switch open(ciphertext, due: isNext ? last?.plaintext : nil, &opener) {
      case nil: openedCount? += 1
      case .length?: break
      case .authentication?: openedCount = nil
      }
    }
  }

  private static func changed(_ bytes: [UInt8], _ input: inout Input) -> [UInt8] {
    var bytes = bytes
    bytes[Int(input.u8()) % bytes.count] ^= max(1, input.u8())
    return bytes
  }

  /// Opens a record. Nil if it opened. `due` is the expected plaintext; nil: it must not open.
  private static func open(
    _ ciphertext: [UInt8], due: [UInt8]?, _ opener: inout RecordOpener
  ) -> RecordError? {
    var bytes = ciphertext
    do throws(RecordError) {
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      let count = try opener.open(inPlace: &raw)
      require(count == ciphertext.count - Record.tagByteCount, "a record has the length of its ciphertext")
      require(due == Array(bytes[..<count]), "a record opens to what was sealed, in its order")
      return nil
    } catch {
      require(due == nil, "a genuine record opens")
      if error == .length { require(!Record.ciphertextByteCounts.contains(ciphertext.count), "a length is refused") }
      return error
    }
  }
}

extension RecordSealer {
  /// Seals a record. Returns its ciphertext without the length.
  fileprivate mutating func sealed(_ plaintext: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: plaintext.count + Record.overhead)
    var span = out.mutableSpan
    var raw = span.mutableBytes
    _ = seal(plaintext: plaintext.span.bytes, into: &raw)
    return Array(out[Record.headerByteCount...])
  }
}
