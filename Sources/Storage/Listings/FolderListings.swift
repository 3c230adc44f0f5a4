// The current and past listings of a catalogue's folders. The last few of each folder stay, for peers that still fetch
// them.
import Content
import SQLite
import Synchronization

/// A content that a listing offers.
public struct ListedContent: Sendable {
  /// Whether this is the listing itself or the contents of the folder.
  public let kind: ContentKind
  public let listing: ServedListing
  public let fileID: FileID

  init(_ kind: ContentKind, _ listing: ServedListing) {
    self.kind = kind
    self.listing = listing
    fileID = kind == .folder ? listing.folderID : listing.contentsID
  }
}

/// The listings of one served folder and of the folders below it. Thread-safe.
public final class FolderListings: Sendable {
  /// A folder gets a new listing at most every 10 s, so a getter that began with one has at least 40 s to open its
  /// contents.
  static let keptCount = 4
  /// The most bytes of listings that stay in memory while no peer has them open: those of two folders of 100,000 files.
  /// The listing opened last stays at any length, because the peer that opened it opens its contents next.
  private static let recentBytesMax = 16 << 20

  /// A listing up to this size, about 1,000 files, is read and checked within a millisecond.
  public static let bytesReadAtOnce: UInt64 = 1 << 16

  private let store: HashStore
  /// The served folder's name.
  private let name: String
  private let bucketOf: @Sendable (FileID) -> UInt16

  private struct State {
    /// By folder path, the newest last.
    var listings: [BytePath: [ServedListing]] = [:]
    var buckets: [UInt16: [ListedContent]] = [:]
    /// The folders whose listing was made in this run.
    var made: Set<BytePath> = []
    /// The listings used last, the newest last.
    var recent: [LoadedListing] = []
  }
  private let state = Mutex(State())

  init(_ store: HashStore, of folder: ServedFolder, bucketOf: @escaping @Sendable (FileID) -> UInt16) {
    self.store = store
    name = folder.name
    self.bucketOf = bucketOf
    // A listing that cannot be read is made again.
    for listing in (try? store.listings()) ?? [] where folder.rules.offers(folder: listing.folder) { add(listing) }
  }

  /// Returns the name that a getter may give a folder.
  public func name(of listing: ServedListing) -> String {
    listing.folder.isEmpty ? name : PathParts(listing.folder).name
  }

  /// The newest listing of each folder, in the order of their paths.
  public var newest: [ServedListing] {
    state.withLock { $0.listings.compactMap(\.value.last) }
      .sorted { FolderPath($0.folder) < FolderPath($1.folder) }
  }

  /// The folders that have a listing, in no order.
  var folders: [String] { state.withLock { $0.listings.keys.map(\.text) } }

  /// The newest listing of a folder.
  public func newest(of folder: String) -> ServedListing? { state.withLock { $0.listings[BytePath(folder)]?.last } }

  /// The listings and contents whose IDs are in a bucket.
  public func candidates(bucket: UInt16) -> [ListedContent] { state.withLock { $0.buckets[bucket] ?? [] } }

  /// Returns the listing and the layout of its contents. Reads it from the database if it is not in memory.
  public func load(_ listing: ServedListing) throws(ListingError) -> LoadedListing {
    let loaded = try listing.loaded { () throws(ListingError) in try self.read(listing) }
    keep(loaded, bytesMax: .max)
    return loaded
  }

  /// As `load`, but returns nil if the listing is long and not in memory.
  public func loadedNow(_ listing: ServedListing) -> LoadedListing? {
    guard let loaded = listing.inMemory else {
      return listing.length <= FolderListings.bytesReadAtOnce ? try? load(listing) : nil
    }
    keep(loaded, bytesMax: .max)
    return loaded
  }

  private func read(_ listing: ServedListing) throws(ListingError) -> LoadedListing {
    let bytes: [UInt8]
    do throws(DatabaseError) { bytes = try store.listingBytes(listing.number, count: listing.length) } catch {
      throw .cannotKeep(error.description)
    }
    do throws(FolderListingFault) {
      let loaded = try LoadedListing(try FolderListing(decoding: bytes))
      if loaded.tree.root == listing.root, UInt64(bytes.count) == listing.length { return loaded }
    } catch {
      remove(listing)
      throw .fault(error)
    }
    remove(listing)
    throw .cannotKeep("it is not what was written")
  }

  /// - `bytesMax`: the most bytes of a listing to keep.
  private func keep(_ loaded: LoadedListing, bytesMax: Int) {
    guard loaded.byteCount <= bytesMax else { return }
    state.withLock { state in
      state.recent.removeAll { $0 === loaded }
      state.recent.append(loaded)
      while state.recent.count > 1, state.recent.reduce(0, { $0 + $1.byteCount }) > FolderListings.recentBytesMax {
        state.recent.removeFirst()
      }
    }
  }

  // MARK: Changing

  /// Offers a new listing. Returns nil if it is the same as the newest one.
  public func offer(_ made: FolderListing, of folder: String) throws(ListingError) -> ServedListing? {
    let loaded: LoadedListing
    do throws(FolderListingFault) { loaded = try LoadedListing(made) } catch { throw .fault(error) }
    if let newest = newest(of: folder), newest.root == loaded.tree.root, newest.length == UInt64(made.bytes.count) {
      return nil
    }
    let listing: ServedListing
    do throws(DatabaseError) {
      listing = try store.keepListing(
        of: folder, made.bytes, root: loaded.tree.root, contentsLength: made.contentsLength)
    } catch {
      throw .cannotKeep(error.description)
    }
    _ = try listing.loaded { () throws(ListingError) in loaded }
    add(listing)
    keep(loaded, bytesMax: FolderListings.recentBytesMax)
    return listing
  }

  /// Whether to announce a listing: it is new, or the first of its folder in this run.
  func announces(_ folder: String, isNew: Bool) -> Bool {
    state.withLock { $0.made.insert(BytePath(folder)).inserted } || isNew
  }

  private func add(_ listing: ServedListing) {
    let old = state.withLock { state in
      var all = state.listings[BytePath(listing.folder)] ?? []
      // A peer gets equal bytes from the newer listing.
      var old = all.filter { $0.root == listing.root && $0.length == listing.length }
      all.removeAll { other in old.contains { $0 === other } }
      all.append(listing)
      if all.count > FolderListings.keptCount { old.append(all.removeFirst()) }
      state.listings[BytePath(listing.folder)] = all
      return old
    }
    enter(ListedContent(.folder, listing))
    if listing.contentsLength > 0 { enter(ListedContent(.folderContents, listing)) }
    for old in old { leave(old) }
  }

  private func enter(_ content: ListedContent) {
    let bucket = bucketOf(content.fileID)
    // The newest stands first.
    state.withLock { $0.buckets[bucket, default: []].insert(content, at: 0) }
  }

  private func leave(_ listing: ServedListing) {
    let buckets = Set([bucketOf(listing.folderID), bucketOf(listing.contentsID)])
    state.withLock { state in
      for bucket in buckets {
        state.buckets[bucket]?.removeAll { $0.listing === listing }
        if state.buckets[bucket]?.isEmpty == true { state.buckets[bucket] = nil }
      }
    }
  }

  private func remove(_ listing: ServedListing) {
    state.withLock { $0.listings[BytePath(listing.folder)]?.removeAll { $0 === listing } }
    leave(listing)
    try? store.removeListing(listing.number)
  }

  /// Removes the listings of a folder that is gone. Returns whether it had one.
  @discardableResult public func remove(folder: String) -> Bool {
    let all = state.withLock { state in
      state.made.remove(BytePath(folder))
      return state.listings.removeValue(forKey: BytePath(folder)) ?? []
    }
    for listing in all { remove(listing) }
    return !all.isEmpty
  }
}
