// The published test vectors of other Noise implementations.
import Foundation

@testable import Wire

/// One complete conversation with all its keys.
struct NoiseVector: Sendable, CustomStringConvertible {
  struct Message: Sendable {
    let payload: [UInt8]
    let ciphertext: [UInt8]
  }

  let description: String
  let protocolName: String
  let prologue: [UInt8]
  let dialerStatic, dialerEphemeral, listenerStatic, listenerEphemeral: [UInt8]
  let psk: [UInt8]?
  let messages: [Message]
  let handshakeHash: [UInt8]?
  /// After the handshake, some files continue the alternation; in others the dialer sends first again.
  let dialerSendsFirstTransport: Bool
}

enum NoiseVectors {
  static let all: [NoiseVector] = {
    let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Protocol/vectors/noise.json")
      .standardized
      .path
    guard let data = FileManager.default.contents(atPath: path),
      let file = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
      let sets = file["sets"] as? [String: [String: Any]]
    else { preconditionFailure("\(path) cannot be read") }
    return sets.sorted { $0.key < $1.key }.flatMap { name, set in
      (set["vectors"] as? [[String: Any]] ?? []).enumerated().map { vector("\(name) \($0)", $1) }
    }
  }()

  private static func vector(_ name: String, _ fields: [String: Any]) -> NoiseVector {
    func bytes(_ names: String...) -> [UInt8]? {
      names.lazy.compactMap { fields[$0] as? String }.first.map { hexBytes($0) }
    }
    let protocolName = fields["protocol_name"] as? String ?? fields["handshake"] as! String
    let psks = fields["init_psks"] as? [String] ?? []
    let listed = (fields["messages"] as? [[String: String]])?.map {
      NoiseVector.Message(payload: hexBytes($0["payload"]!), ciphertext: hexBytes($0["ciphertext"]!))
    }
    let numbered = (0..<16).compactMap { i -> NoiseVector.Message? in
      guard let payload = bytes("msg_\(i)_payload"), let ciphertext = bytes("msg_\(i)_ciphertext") else { return nil }
      return NoiseVector.Message(payload: payload, ciphertext: ciphertext)
    }
    return NoiseVector(
      description: "\(name): \(protocolName)", protocolName: protocolName,
      prologue: bytes("init_prologue", "prologue") ?? [], dialerStatic: bytes("init_static")!,
      dialerEphemeral: bytes("init_ephemeral", "gen_init_ephemeral")!, listenerStatic: bytes("resp_static")!,
      listenerEphemeral: bytes("resp_ephemeral", "gen_resp_ephemeral")!,
      psk: psks.first.map { hexBytes($0) } ?? bytes("preshared_key"), messages: listed ?? numbered,
      handshakeHash: bytes("handshake_hash"), dialerSendsFirstTransport: listed == nil)
  }
}

func hexBytes(_ digits: String) -> [UInt8] {
  let digits = Array(digits.utf8)
  return stride(from: 0, to: digits.count, by: 2).map { i in
    UInt8(String(decoding: digits[i..<i + 2], as: UTF8.self), radix: 16)!
  }
}
