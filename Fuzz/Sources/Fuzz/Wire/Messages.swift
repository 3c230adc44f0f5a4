// Single messages. Each is accepted exactly if the protocol's tables allow it, and is the same after it is sent.
@testable import Wire

enum Messages {
  static let target = Target(
    "message",
    seeds: { vectors in
      (vectors.examples("frames") { !$0.hasPrefix("digest.") } + vectors.examples("invalid/frames")).compactMap {
        frame in
        guard frame.count >= 5, let place = FrameType.allCases.firstIndex(where: { $0.rawValue == frame[4] }) else {
          return nil
        }
        let body = Array(frame[5...])
        return frame[4] == FrameType.data.rawValue ? [UInt8(place), 0, 0] + body : [UInt8(place)] + body
      }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let type = FrameType.allCases[input.number(below: FrameType.allCases.count)]
    if type == .data { return data(&input) }
    let body = input.rest()
    let frame = Messages.frame(type, bodyBytes: body.count, body)
    let isAllowed = FrameRules.allow(type: type.rawValue, body: body)
    guard let message = decode(frame, isAllowed: isAllowed, "\(type) of \(body.count) bytes") else { return }
    var encoded: [UInt8] = []
    message.encode(into: &encoded)
    var offset = 0
    var decoder = FrameDecoder()
    let again = try? decoder.next(encoded.span.bytes, at: &offset)
    require(again == message && offset == encoded.count, "\(type) survives the wire")
    require(encoded == frame || hasOtherForm(message, body), "\(type) has one form")
  }

  /// Two values have two encodings: an unknown close code is read as 8, and a 16-byte IPv4 address as one of 4 bytes.
  private static func hasOtherForm(_ message: Message, _ body: [UInt8]) -> Bool {
    switch message {
    case .goodbye: body[0] > 9
    case .peers(let exchange): exchange.entries.contains { $0.isIPv4 }
    default: false
    }
  }

  private static func data(_ input: inout Input) {
    let extra = Int(input.u16())
    let start = input.rest()
    let bodyBytes = start.count + extra
    let isAllowed = FrameRules.allowData(bodyBytes: bodyBytes, start)
    var decoder = FrameDecoder()
    let frame = Messages.frame(.data, bodyBytes: bodyBytes, start)
    var offset = 0
    do throws(WireError) {
      let message = try decoder.next(frame.span.bytes, at: &offset)
      guard case .data(let header)? = message else {
        return require(message == nil && !isComplete(start), "DATA begins when its fields are here")
      }
      require(isAllowed, "DATA that the protocol refuses is refused")
      require(decoder.payloadBytesDue == header.byteCount, "the leaves are due")
      var encoded: [UInt8] = []
      message!.encode(into: &encoded)
      require(encoded.elementsEqual(frame[..<offset]), "DATA has one form")
    } catch {
      require(!isAllowed || !isComplete(start), "DATA of the protocol is taken: \(error)")
    }
  }

  /// Whether all fields before the leaves are complete.
  private static func isComplete(_ start: [UInt8]) -> Bool {
    guard start.count >= 8 else { return start.count == 7 && start[6] & 1 == 0 }
    return start[6] & 1 == 0 || start.count >= 8 + 32 * Int(start[7])
  }

  private static func decode(_ frame: [UInt8], isAllowed: Bool, _ what: String) -> Message? {
    var decoder = FrameDecoder()
    var offset = 0
    do throws(WireError) {
      let message = try decoder.next(frame.span.bytes, at: &offset)
      require(message != nil, "a whole frame is a message")
      require(isAllowed, "what the protocol refuses is refused: \(what)")
      return message
    } catch {
      require(!isAllowed, "what the protocol allows is taken: \(what), \(error)")
      return nil
    }
  }

  private static func frame(_ type: FrameType, bodyBytes: Int, _ body: [UInt8]) -> [UInt8] {
    var frame: [UInt8] = []
    frame.append(bigEndian: UInt32(bodyBytes + 1))
    return frame + [type.rawValue] + body
  }
}
