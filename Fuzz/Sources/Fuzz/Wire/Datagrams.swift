// Datagrams of a local network: queries of strangers and answers of nodes.
import Content

@testable import Transfer
@testable import Wire

enum Datagrams {
  static let target = Target(
    "datagram",
    seeds: { vectors in
      let all = vectors.examples("discovery") { $0.hasSuffix(".query") || $0.hasSuffix(".answer") }
      return (all + vectors.examples("invalid/discovery") { $0 != "fileID" }).map { [0] + $0 } + [[1], [3], [9, 4, 1]]
    }, run)

  /// The file of the vectors.
  private static let key = FileKey(
    FileID(hex: "ddc6d2f4bcb509804b7826d5ef509bf13da43078aa6a2654d979dc9c86a85586")!, swarm: nil)
  private static let own = PeerID(digest: Digest(sha256: [1].span.bytes))
  private static let nonce = [UInt8](repeating: 7, count: Discovery.nonceBytes)
  private static let genuineQuery = DiscoveryQuery(nonce: nonce, key: key)
  private static let genuineAnswer = DiscoveryAnswer(to: genuineQuery, key: key, port: 9800, peer: own)

  /// Byte 0 selects raw bytes, or a genuine datagram in which the other bytes change bits.
  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    var datagram: [UInt8]
    if kind & 1 == 0 {
      datagram = input.rest()
    } else {
      datagram = kind & 2 == 0 ? genuineQuery.encode() : genuineAnswer.encode()
      while !input.isAtEnd { datagram[Int(input.u8()) % datagram.count] ^= input.u8() }
    }
    query(datagram)
    answer(datagram)
  }

  private static func query(_ datagram: [UInt8]) {
    let query = DiscoveryQuery(decoding: datagram)
    if let query { require(query.encode() == datagram, "a query has one form") }
    var answers = DiscoveryAnswers(peer: own, port: 9800, at: .zero)
    let ip = [UInt8](repeating: 1, count: 16)
    let answer = answers.answer(to: datagram, from: ip, at: .zero) { _ in [key] }
    require((answer != nil) == (query?.isProven(by: key) ?? false), "who knows the file is answered, and nobody else")
    guard let answer else { return }
    require(answer.count == datagram.count, "an answer is no longer than its question")
    require(
      answers.answer(to: datagram, from: ip, at: .zero) { _ in [key] } == nil, "no nonce is answered twice")
  }

  private static func answer(_ datagram: [UInt8]) {
    let answer = DiscoveryAnswer(decoding: datagram)
    if let answer { require(answer.encode() == datagram && answer.port != 0, "an answer has one form") }
    var search = DiscoverySearch(
      key: key, own: PeerID(digest: .zero), asksNetwork: true, firstPhase: .seconds(1),
      generator: SeededGenerator(seed: 1), at: .zero)
    _ = search.nextQuery(nonce: nonce, at: .zero)
    search.handle(.datagram(datagram, from: [UInt8](repeating: 1, count: 16), scope: 0), at: .zero)
    let isHint = datagram == genuineAnswer.encode()
    var isFound = false
    while let action = search.nextAction() { if case .found = action { isFound = true } }
    require(isFound == isHint, "only the answer of one who knows the file is a hint")
  }
}
