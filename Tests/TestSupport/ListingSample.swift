// A folder listing for tests, with its bytes and hashes.
import Content

/// The bytes of a listing, valid or not, under a folder ID.
package struct ListingSample: AnsweredFile {
  /// The same bytes as a file.
  package let sample: Sample

  package init(_ name: String = "folder", bytes: [UInt8]) { sample = Sample(name, bytes: bytes) }

  package init(_ entries: [FolderEntry], name: String = "folder") throws {
    self.init(name, bytes: try FolderListing(entries).bytes)
  }

  package var name: String { sample.name }
  package var fileID: FileID { FileID(kind: .folder, length: layout.fileLength, root: tree.root) }
  package var layout: ChunkLayout { sample.layout }
  package var tree: HashTree { sample.tree }
  package func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8] { sample.leaves(leaves, of: chunk) }
  package func leafHashes(of chunk: ChunkIndex) -> [Digest] { sample.leafHashes(of: chunk) }
}

extension SourceScript {
  /// An honest script for a folder's listing.
  package init(_ listing: ListingSample) {
    self.init(listing.sample)
    onOpen = { peer, open, _ in try peer.offer(listing, as: open.handle, kind: ContentKind.folder.rawValue) }
  }
}
