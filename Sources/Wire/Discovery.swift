// The datagrams of LAN discovery: a query that does not reveal the file, and an answer from a peer that proves it has
// it. A datagram that is not exactly as specified decodes to nil and is dropped silently.
import Content

/// What queries and answers have in common.
///
/// Source: `Protocol/discovery.md`.
public enum Discovery {
  /// The size of every datagram. An answer is never larger than its query, so discovery amplifies no traffic.
  public static let datagramBytes = 96
  /// The size of a nonce, which is random.
  public static let nonceBytes = 16
  /// The UDP port of both multicast groups.
  public static let port: UInt16 = 9_800
  /// 239.255.112.50 as `::ffff:239.255.112.50`: administratively scoped (RFC 2365), so it is not a registered group.
  public static let groupIPv4: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 239, 255, 112, 50]
  /// ff12::7032: transient and link-local (RFC 4291), so no router forwards it.
  public static let groupIPv6: [UInt8] = [0xFF, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x70, 0x32]

  fileprivate enum Kind: UInt8 { case query = 1, answer = 2 }

  fileprivate static let start = Array("p2pnode".utf8) + [0x01]
  static let startBytes = start.count + 1

  fileprivate static func datagram(_ kind: Kind, _ fields: [UInt8]) -> [UInt8] {
    let bytes = start + [kind.rawValue] + fields
    return bytes + Array(repeating: 0, count: datagramBytes - bytes.count)
  }

  /// Returns a reader of the fields. Nil if the datagram is not of this kind or has a wrong length.
  fileprivate static func fields(of bytes: [UInt8], _ kind: Kind) -> ByteReader? {
    guard bytes.count == datagramBytes, bytes.starts(with: start), bytes[start.count] == kind.rawValue else {
      return nil
    }
    var reader = ByteReader(bytes)
    _ = reader.take(startBytes)
    return reader
  }
}

/// Asks which peers have a file. All queries of a round have the same nonce.
public struct DiscoveryQuery: Hashable, Sendable {
  public let bucket: UInt16
  public let nonce: [UInt8]
  private let proof: Digest

  public init(nonce: [UInt8], key: FileKey) {
    precondition(nonce.count == Discovery.nonceBytes, "a nonce is 16 bytes")
    self.nonce = nonce
    bucket = key.bucket
    proof = key.queryProof(nonce)
  }

  public init?(decoding bytes: [UInt8]) {
    guard var reader = Discovery.fields(of: bytes, .query), let bucket = reader.u16(),
      let nonce = reader.take(Discovery.nonceBytes), let proof = reader.digest(),
      reader.take(reader.bytesLeft)?.allSatisfy({ $0 == 0 }) == true
    else { return nil }
    (self.bucket, self.nonce, self.proof) = (bucket, nonce, proof)
  }

  public func encode() -> [UInt8] {
    var fields: [UInt8] = []
    fields.append(bigEndian: bucket)
    return Discovery.datagram(.query, fields + nonce + proof.bytes)
  }

  /// Whether the query asks for the file of this key and proves that its sender knows the fileID.
  public func isProven(by key: FileKey) -> Bool {
    bucket == key.bucket && FileKey.matches(proof, due: key.queryProof(nonce))
  }
}

/// Says that a peer has the file, and at which port it listens.
public struct DiscoveryAnswer: Hashable, Sendable {
  /// The nonce of the query.
  public let nonce: [UInt8]
  /// A TCP port, never 0.
  public let port: UInt16
  public let peer: PeerID
  private let proof: Digest

  /// Makes the answer to a query that `key` has proven.
  public init(to query: DiscoveryQuery, key: FileKey, port: UInt16, peer: PeerID) {
    precondition(port != 0, "who answers listens")
    nonce = query.nonce
    self.port = port
    self.peer = peer
    proof = key.haveProof(query.nonce, peer, port)
  }

  public init?(decoding bytes: [UInt8]) {
    guard var reader = Discovery.fields(of: bytes, .answer), let port = reader.u16(), port != 0,
      let nonce = reader.take(Discovery.nonceBytes), let peer = reader.digest(), let proof = reader.digest(),
      reader.take(reader.bytesLeft)?.allSatisfy({ $0 == 0 }) == true
    else { return nil }
    (self.nonce, self.port, self.peer, self.proof) = (nonce, port, PeerID(digest: peer), proof)
  }

  public func encode() -> [UInt8] {
    var fields: [UInt8] = []
    fields.append(bigEndian: port)
    return Discovery.datagram(.answer, fields + nonce + peer.digest.bytes + proof.bytes)
  }

  /// Whether the sender of the answer knows the fileID of this key and meant this port and PeerID.
  public func isProven(by key: FileKey) -> Bool { FileKey.matches(proof, due: key.haveProof(nonce, peer, port)) }
}

extension FileKey {
  fileprivate func queryProof(_ nonce: [UInt8]) -> Digest { tag("query", nonce) }

  fileprivate func haveProof(_ nonce: [UInt8], _ peer: PeerID, _ port: UInt16) -> Digest {
    var context = nonce + peer.digest.bytes
    context.append(bigEndian: port)
    return tag("have", context)
  }
}
