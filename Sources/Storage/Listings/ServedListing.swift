// A listing of a served folder: its IDs in memory, its bytes in the database.
import Content
import Synchronization

/// A current or earlier listing of a folder. Two listings with equal bytes are two objects.
public final class ServedListing: Sendable {
  /// The folder's path relative to the served folder. "" is the served folder.
  public let folder: String
  /// The root of the listing's bytes.
  public let root: Digest
  /// The bytes of the listing.
  public let length: UInt64
  /// The bytes of all files in the listing.
  public let contentsLength: UInt64
  public let folderID: FileID
  public let contentsID: FileID
  /// The number of its row in the database.
  let number: Int64
  private let loaded = Mutex(Weak())

  private struct Weak: Sendable { weak var listing: LoadedListing? }

  init(number: Int64, folder: String, root: Digest, length: UInt64, contentsLength: UInt64) {
    self.number = number
    self.folder = folder
    self.root = root
    self.length = length
    self.contentsLength = contentsLength
    folderID = FileID(kind: .folder, length: length, root: root)
    contentsID = FileID(kind: .folderContents, length: contentsLength, root: root)
  }

  /// The path for people, with a "/" at its end.
  public var path: String { folder.isEmpty ? "./" : folder + "/" }

  /// The listing, if it is in memory. Otherwise nil.
  var inMemory: LoadedListing? { loaded.withLock { $0.listing } }

  /// Returns the listing in memory, which all users share. Calls `load` if it is not in memory.
  func loaded(_ load: () throws(ListingError) -> LoadedListing) throws(ListingError) -> LoadedListing {
    if let listing = inMemory { return listing }
    let listing = try load()
    loaded.withLock { $0.listing = listing }
    return listing
  }
}

/// What a node reports about a folder that has an ID.
public struct ListedFolder: Sendable {
  public let listing: ServedListing
  /// The name that a getter may give the folder.
  public let name: String
  public let leftOut: LeftOutCounts
}

/// A listing in memory.
public final class LoadedListing: Sendable {
  public let layout: FolderLayout
  /// The hash tree of the listing's bytes.
  public let tree: HashTree
  /// The hash of each leaf of the listing's bytes: 32 bytes for 16 KiB, so that no request makes the node hash a chunk.
  private let leaves: [Digest]
  private let absent = Mutex<(changeCount: UInt64, chunks: [ChunkIndex: UInt64])?>(nil)

  /// Throws if the listing has too many chunks.
  public init(_ listing: FolderListing) throws(FolderListingFault) {
    (tree, leaves) = LoadedListing.hash(listing.bytes)
    layout = try FolderLayout(listing, root: tree.root)
  }

  private static func hash(_ bytes: [UInt8]) -> (HashTree, leaves: [Digest]) {
    var state = FileHashState()
    var chunks: [HashedChunk]
    do throws(FileHashFault) { chunks = try state.feed(bytes.span.bytes) } catch {
      preconditionFailure("a listing is shorter than a file can be")
    }
    let (file, lastChunk) = state.finish()
    if let lastChunk { chunks.append(lastChunk) }
    return (HashTree(file), chunks.flatMap(\.leafHashes))
  }

  /// Returns the leaves of the contents that no served file has, one bit each.
  /// - `changeCount`: the sum over all catalogues. `find` is called if it changed since the last call.
  public func absentLeaves(at changeCount: UInt64, find: () -> [ChunkIndex: UInt64]) -> [ChunkIndex: UInt64] {
    if let known = absent.withLock({ $0 }), known.changeCount == changeCount { return known.chunks }
    let chunks = find()
    absent.withLock { $0 = (changeCount, chunks) }
    return chunks
  }

  /// The bytes of the listing.
  public var byteCount: Int { layout.listing.bytes.count }

  /// Whether `absentLeaves` need not call `find`.
  public func knowsAbsentLeaves(at changeCount: UInt64) -> Bool { absent.withLock { $0?.changeCount == changeCount } }

  /// How the listing's bytes are cut into chunks.
  public var chunks: ChunkLayout { tree.pages.layout }

  /// Returns the leaf hashes of a chunk of the listing's bytes.
  public func leafHashes(of chunk: ChunkIndex) -> [Digest] {
    let first = Int(chunk.rawValue) * (chunks.chunkSize / chunks.leafSize)
    return Array(leaves[first..<first + chunks.leafCount(of: chunk)])
  }
}
