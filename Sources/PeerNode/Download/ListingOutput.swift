// A verified listing in memory that is offered to other peers.
import Content
import Storage

/// The bytes of a listing. Unlike a file, no other program can change them.
final class ListingOutput: CheckedOutput {
  private let listing: FolderListing

  init(_ listing: FolderListing) { self.listing = listing }

  func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    let start = Int(offset)
    for i in 0..<wanted { buffer.storeBytes(of: listing.bytes[start + i], toByteOffset: i, as: UInt8.self) }
  }
}
