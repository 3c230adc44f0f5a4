// Manifests from a peer. They are accepted only if they match the fileID.
@testable import Content

enum Manifests {
  static let target = Target(
    "manifest",
    seeds: { vectors in
      let lengths = vectors.examples("content") { $0.hasSuffix(".length") }
      return zip(lengths, vectors.examples("content") { $0.hasSuffix(".root") }).map { length, root in
        [0, 0, 20] + length + root + Array("../name.img".utf8)
      }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let (change, kind, chunkSizeLog2, length) = (input.u8(), input.u8(), input.u8(), input.u64())
    let root = input.bytes32()
    // The fileID of these fields, or of changed ones.
    var named = Array("p2pnode-file-v1".utf8) + [kind]
    for shift in stride(from: 56, through: 0, by: -8) {
      named.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
    }
    named += root
    if change & 1 == 1 { named[Int(change) % named.count] ^= 1 }
    let name = String(decoding: input.rest(), as: UTF8.self)
    let isTrue =
      change & 1 == 0 && kind <= 1 && chunkSizeLog2 == 20 && length <= (kind == 0 ? 1 << 42 : 1 << 30)
      && (length > 0 || root.allSatisfy { $0 == 0 })
    do throws(ManifestFault) {
      let manifest = try Manifest.verified(
        kind: kind, length: length, root: Digest(root)!, chunkSizeLog2: chunkSizeLog2, suggestedName: name,
        against: FileID(digest: Digest(sha256: named.span.bytes)))
      require(isTrue, "a manifest that the fileID does not commit to is refused")
      require(manifest.length == length && manifest.layout.chunkCount <= 1 << 22, "a manifest is what was sent")
      require(manifest.fileName == SuggestedName.sanitised(name), "a name becomes harmless")
    } catch {
      require(!isTrue, "the file's own manifest is taken: \(error)")
    }
  }
}
