// Queries and answers of LAN discovery, compared with the published vectors, and invalid ones.
import Content
import Sodium
import TestSupport
import Testing

@testable import Wire

@Suite struct DiscoveryTests {
  private let vectors: VectorFile
  private let fileID: FileID

  init() throws {
    vectors = try VectorFile("discovery.txt")
    fileID = FileID(digest: try #require(Digest(vectors["fileID"])))
  }

  private func key(_ name: String) -> FileKey {
    let swarm = name == "private" ? swarmKey(SecretKey(copying: vectors["private.swarm-key"].span.bytes)) : nil
    return FileKey(fileID, swarm: swarm)
  }

  @Test(arguments: ["public", "private"])
  func `queries and answers are encoded as published`(name: String) throws {
    let key = key(name)
    let query = DiscoveryQuery(nonce: vectors["nonce"], key: key)
    #expect(query.encode() == vectors["\(name).query"])
    #expect(DiscoveryQuery(decoding: vectors["\(name).query"]) == query)
    #expect(query.isProven(by: key))
    let peer = PeerID(digest: try #require(Digest(vectors["peerID"])))
    let answer = DiscoveryAnswer(to: query, key: key, port: 9_800, peer: peer)
    #expect(answer.encode() == vectors["\(name).answer"])
    #expect(DiscoveryAnswer(decoding: vectors["\(name).answer"]) == answer)
    #expect(answer.isProven(by: key))
  }

  @Test func `queries and answers of another swarm prove nothing`() throws {
    for (ours, theirs) in [("public", "private"), ("private", "public")] {
      let query = try #require(DiscoveryQuery(decoding: vectors["\(theirs).query"]))
      let answer = try #require(DiscoveryAnswer(decoding: vectors["\(theirs).answer"]))
      #expect(!query.isProven(by: key(ours)))
      #expect(!answer.isProven(by: key(ours)))
    }
  }

  @Test func `every published invalid datagram is dropped, as a query and as an answer`() throws {
    let invalid = try VectorFile("invalid/discovery.txt")
    let key = FileKey(FileID(digest: try #require(Digest(invalid["fileID"]))), swarm: nil)
    func isTaken(_ bytes: [UInt8]) -> Bool {
      DiscoveryQuery(decoding: bytes)?.isProven(by: key) == true
        || DiscoveryAnswer(decoding: bytes)?.isProven(by: key) == true
    }
    #expect(isTaken(invalid["query.good"]) && isTaken(invalid["answer.good"]))
    let bad = invalid.names.filter { $0 != "fileID" && !$0.hasSuffix(".good") }
    #expect(bad.count > 20)
    for name in bad { #expect(!isTaken(invalid[name]), "\(name)") }
  }

  @Test func `a datagram of any length is refused or read and never traps`() {
    let good = [vectors["public.query"], vectors["public.answer"]]
    for length in 0...600 {
      for filler in [0, 1, 0x70, 0xFF] as [UInt8] {
        var datagrams = [Array(repeating: filler, count: length)]
        for good in good { datagrams.append((good + Array(repeating: filler, count: 600)).prefix(length) + []) }
        for bytes in datagrams {
          let isRead = DiscoveryQuery(decoding: bytes) != nil || DiscoveryAnswer(decoding: bytes) != nil
          #expect(isRead == (good.contains(bytes)), "\(length) bytes of \(filler)")
        }
      }
    }
  }

  @Test func `a datagram with any one bit wrong is refused`() {
    let key = key("public")
    for (name, bitCount) in [("public.query", 96 * 8), ("public.answer", 96 * 8)] {
      for bit in 0..<bitCount {
        var bytes = vectors[name]
        bytes[bit / 8] ^= 1 << (bit % 8)
        #expect(DiscoveryQuery(decoding: bytes)?.isProven(by: key) != true, "\(name), bit \(bit)")
        #expect(DiscoveryAnswer(decoding: bytes)?.isProven(by: key) != true, "\(name), bit \(bit)")
      }
    }
  }

  @Test func `no answer is longer than its query, and no query contains a fileID`() {
    for name in ["public", "private"] {
      let (query, answer) = (vectors["\(name).query"], vectors["\(name).answer"])
      #expect(answer.count <= query.count && query.count == Discovery.datagramBytes)
      for start in 0...28 {
        let piece = fileID.digest.bytes[start..<start + 4]
        #expect(query.firstRange(of: piece) == nil && answer.firstRange(of: piece) == nil)
      }
    }
  }
}
