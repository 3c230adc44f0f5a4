// Links compared with `Protocol/vectors/links.txt` and `invalid/links.txt`, and other links that a stranger may write.
import Content
import TestSupport
import Testing

@testable import Wire

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private func peerID(_ byte: UInt8) -> PeerID { PeerID(digest: Digest(Array(repeating: byte, count: 32))!) }

extension FileLink.Peer {
  fileprivate var line: String {
    let shown = host.contains(":") ? "[\(host)]" : host
    return (pinned.map { $0.hex + "@" } ?? "") + "\(shown):\(port)\n"
  }
}

@Suite struct FileLinkTests {
  private let fileID = FileID(digest: Digest(Array(repeating: 0xAB, count: 32))!)

  @Test func `published links are read as published, and written in their published form`() throws {
    let vectors = try VectorFile("links.txt")
    let labels = vectors.names.filter { $0.hasSuffix(".link") }.map { String($0.dropLast(".link".count)) }
    #expect(labels.count > 10)
    for label in labels {
      func has(_ field: String) -> Bool { vectors.names.contains("\(label).\(field)") }
      let written = text(vectors["\(label).link"])
      let link = try FileLink(parsing: written)
      #expect(link.fileID.digest.bytes == vectors["\(label).fileID"], "\(label)")
      #expect(link.name.map { Array($0.utf8) } == (has("name") ? vectors["\(label).name"] : nil), "\(label)")
      #expect(link.length == (has("length") ? vectors.number("\(label).length") : nil), "\(label)")
      #expect(link.peers.map(\.line).joined() == text(vectors["\(label).peers"]), "\(label)")
      if !label.hasPrefix("name-") || label == "name-text" {
        #expect(link.text == (has("written") ? text(vectors["\(label).written"]) : written), "\(label)")
      }
      #expect(try FileLink(parsing: link.text) == link, "\(label)")
    }
  }

  @Test func `published invalid links are refused`() throws {
    let vectors = try VectorFile("invalid/links.txt")
    #expect(vectors.names.count > 50)
    for name in vectors.names {
      #expect(throws: FileLinkFault.self, "\(name)") { try FileLink(parsing: text(vectors[name])) }
    }
  }

  @Test func `a link that is cut anywhere is refused or read as a shorter link`() throws {
    let whole = FileLink(
      fileID: fileID, name: "a b", length: 1234,
      peers: [FileLink.Peer(host: "::1", port: 98, pinned: peerID(7))!, FileLink.Peer(host: "h", port: 1)!])
    let bytes = Array(whole.text.utf8)
    for count in 0..<bytes.count {
      guard let cut = try? FileLink(parsing: text(Array(bytes[..<count]))) else { continue }
      #expect(cut != whole && cut.fileID == fileID)
    }
  }

  @Test func `any text is read or refused, and a link that was read can be written and read again`() {
    let alphabet = Array("p2pnode:/?&=%@[]:.-_~x0123456789abcdefABCDEF/# +\u{1B}\u{0}é".utf8)
    var state: UInt64 = 9
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let seeds = ["name=a%20b", "length=77", "peer=\(peerID(1).hex)@%5B::1%5D:9", "peer=h", "x-a=1"]
    var readCount = 0
    for _ in 0..<3_000 {
      var bytes = Array("p2pnode:\(fileID.hex)/\(seeds[next(5)])/\(seeds[next(5)])".utf8)
      for _ in 0..<next(3) { bytes[next(bytes.count)] = alphabet[next(alphabet.count)] }
      if next(2) == 0 { bytes.insert(alphabet[next(alphabet.count)], at: next(bytes.count)) }
      guard let link = try? FileLink(parsing: text(bytes)) else { continue }
      readCount += 1
      #expect((try? FileLink(parsing: link.text)) == link, "\(text(bytes))")
    }
    #expect(readCount > 100)
  }

  @Test func `a link has no character that is special to a shell`() {
    let everything = FileLink(
      fileID: fileID, name: String(decoding: (0...127).map { UInt8($0) }, as: UTF8.self) + "é", length: 1,
      peers: [
        FileLink.Peer(host: "2001:db8::1", port: 9800, pinned: peerID(1))!, FileLink.Peer(host: "a-b_c.d", port: 1)!,
      ])
    let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/=@%-._".utf8)
    #expect(everything.text.utf8.allSatisfy(plain.contains), "\(everything.text)")
  }

  @Test func `an IPv6 address without brackets is refused with an error of its own`() {
    for peer in ["::1", "::1:9800", "2001:db8::1"] {
      #expect(throws: FileLinkFault.brackets) { try FileLink(parsing: "p2pnode:\(fileID.hex)/peer=\(peer)") }
    }
  }

  @Test func `the longest link that can be written can be read`() throws {
    let peer = FileLink.Peer(host: String(repeating: "h", count: 253), port: 65535, pinned: peerID(1))!
    let link = FileLink(
      fileID: fileID, name: String(repeating: " ", count: 255), length: 1 << 42,
      peers: Array(repeating: peer, count: 20))
    #expect(link.peers.count == 16)
    #expect(link.text.utf8.count <= FileLink.byteCountMax)
    #expect(try FileLink(parsing: link.text) == link)
  }

  @Test func `a link omits a name, length or peer that it cannot hold`() {
    let link = FileLink(fileID: fileID, name: String(repeating: "a", count: 256), length: 1 << 42 + 1)
    #expect(link.text == "p2pnode:" + fileID.hex)
    #expect(FileLink(fileID: fileID, name: "").name == nil)
    for host in ["", "a b", "é", "fe80::1%1", "a/b", "[::1]", ":", "h@h"] {
      #expect(FileLink.Peer(host: host, port: 1) == nil, "\(host)")
    }
    #expect(FileLink.Peer(host: "h", port: 0) == nil)
  }

  @Test func `a malformed text with the prefix of a link is taken as a link, and a fileID is not`() {
    #expect(FileLink.isMeant(by: "p2pnode:nonsense"))
    #expect(!FileLink.isMeant(by: fileID.hex))
  }
}
