// The part file and the journal that an unfinished download has left in its folder.
import Content
import Foundation
import Transfer

struct PartFolder {
  let path: String
  let fileID: String
  let byteCount: Int

  var part: String { "\(path)/.\(fileID.prefix(16)).p2p-part" }
  var journal: String { "\(path)/.\(fileID.prefix(16)).p2p-journal" }
  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
  var layout: ChunkLayout { ChunkLayout(fileLength: UInt64(byteCount))! }

  /// The leaves that the journal claims, as ranges of the file.
  var claims: [Range<Int>] {
    guard let bytes = FileManager.default.contents(atPath: journal),
      let contents = JournalContents(decoding: Array(bytes))
    else { return [] }
    return contents.claims(in: layout).flatMap { chunk, mask in
      (0..<layout.leafCount(of: chunk)).filter { mask & (1 << UInt64($0)) != 0 }.map { leaf in
        let start = Int(layout.offset(ofLeaf: leaf, in: chunk))
        return start..<start + layout.length(of: LeafRange(first: leaf, count: 1), in: chunk)
      }
    }
  }

  var claimedBytes: Int { claims.reduce(0) { $0 + $1.count } }

  /// The number of claimed leaves that differ on the disk from the right file. They are in the part file, or under the
  /// final name if the part file was renamed just before the journal is removed.
  func wrongClaims(against right: String, named name: String) throws -> Int {
    let place = try names.contains(name) ? path + "/" + name : part
    guard let one = FileManager.default.contents(atPath: place), let other = FileManager.default.contents(atPath: right)
    else { throw Unexpected("cannot read \(place) and \(right)") }
    return claims.count { $0.upperBound > one.count || one[$0] != other[$0] }
  }
}
