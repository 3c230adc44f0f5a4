// The part folder that an unfinished download of a folder has left.
import Content
import Foundation
import Transfer

struct FolderPartFolder {
  /// The folder that contains the part folder.
  let path: String
  let folderID: String

  var part: String { "\(path)/.\(folderID.prefix(16)).p2p-part" }

  private var layout: FolderLayout? {
    guard let data = FileManager.default.contents(atPath: part + "/listing"),
      let listing = try? FolderListing(decoding: Array(data))
    else { return nil }
    var state = FileHashState()
    guard (try? state.feed(Array(data).span.bytes)) != nil else { return nil }
    return try? FolderLayout(listing, root: state.finish().file.root)
  }

  /// The leaves that the journal claims, as ranges of files.
  var claims: [FileRange] {
    guard let journal = FileManager.default.contents(atPath: part + "/journal"),
      let contents = JournalContents(decoding: Array(journal)), let layout
    else { return [] }
    let cut = ChunkLayout(layout)
    return contents.claims(in: cut).flatMap { chunk, mask in
      (0..<cut.leafCount(of: chunk)).filter { mask & (1 << UInt64($0)) != 0 }.flatMap { leaf in
        let count = cut.length(of: LeafRange(first: leaf, count: 1), in: chunk)
        return layout.runs(at: cut.offset(ofLeaf: leaf, in: chunk), count: count).map { run in
          let start = Int(run.offset)
          return FileRange(path: layout.listing.path(of: run.entry).description, bytes: start..<start + run.count)
        }
      }
    }
  }

  /// A range of bytes of one file.
  struct FileRange: Hashable {
    let path: String
    let bytes: Range<Int>
  }

  var claimedBytes: Int { claims.reduce(0) { $0 + $1.bytes.count } }

  /// Returns the claimed ranges that differ on the disk from the tree. They are in the part folder, or in an output
  /// that got its files just before the journal is removed.
  func wrongClaims(against tree: Tree, output: String) -> [FileRange] {
    var files: [String: Data?] = [:]
    return claims.filter { claim in
      guard case .file(let right, _)? = tree.items[claim.path] else { return true }
      let found =
        files[claim.path]
        ?? {
          let bytes = [part + "/tree", output].lazy.compactMap {
            FileManager.default.contents(atPath: "\($0)/\(claim.path)")
          }
          return bytes.first
        }()
      files[claim.path] = found
      guard let found, claim.bytes.upperBound <= found.count else { return true }
      return found[claim.bytes] != right[claim.bytes]
    }
  }
}
