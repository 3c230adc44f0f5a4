// The listings that the folders of a catalogue have and had: the last few of each stay, for peers that still fetch them.
import Content
import SQLite
import Synchronization

/// A content that a listing stands for.
public struct ListedContent: Sendable {
  /// The listing itself, or the contents of the folder.
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
  /// A getter that began with a listing has 40 s at least to open its contents, since a folder gets one each 10 s at most.
  static let keptCount = 4
  /// Bytes of the listings that stay in memory while no peer has them open: those of two folders of 100,000 files. The
  /// one that was opened last stays however long it is: the peer that opened it opens its contents next.
  private static let recentBytesMax = 16 << 20

  /// A listing of so many bytes, about 1,000 files, is read and checked in a millisecond.
  public static let bytesReadAtOnce: UInt64 = 1 << 16

  private let store: HashStore
  /// The name of the served folder.
  private let name: String
  private let bucketOf: @Sendable (FileID) -> UInt16

  private struct State {
    /// By folder, the newest last.
    var listings: [BytePath: [ServedListing]] = [:]
    var buckets: [UInt16: [ListedContent]] = [:]
    /// The folders whose listing was made in this run.
    var made: Set<BytePath> = []
    /// The latest ones, the newest last.
    var recent: [LoadedListing] = []
  }
  private let state = Mutex(State())

  init(_ store: HashStore, of folder: ServedFolder, bucketOf: @escaping @Sendable (FileID) -> UInt16) {
    self.store = store
    name = folder.name
    self.bucketOf = bucketOf
    // What cannot be read is made anew.
    for listing in (try? store.listings()) ?? [] where folder.rules.offers(folder: listing.folder) { add(listing) }
  }

  /// What a getter may call a folder.
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

  /// The contents of a bucket.
  public func candidates(bucket: UInt16) -> [ListedContent] { state.withLock { $0.buckets[bucket] ?? [] } }

  /// The listing and the layout of its contents, read from the database if no peer has it open.
  public func load(_ listing: ServedListing) throws(ListingError) -> LoadedListing {
    let loaded = try listing.loaded { () throws(ListingError) in try self.read(listing) }
    keep(loaded, bytesMax: .max)
    return loaded
  }

  /// As `load`, but nil if the listing is long and would have to be read.
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

  /// - `bytesMax`: a longer listing is not kept.
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

  /// Offers a listing that was just made. Nil if it is the newest one already.
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

  /// Whether a listing is news: it is new, or the first one of its folder in this run.
  func announces(_ folder: String, isNew: Bool) -> Bool {
    state.withLock { $0.made.insert(BytePath(folder)).inserted } || isNew
  }

  private func add(_ listing: ServedListing) {
    let old = state.withLock { state in
      var all = state.listings[BytePath(listing.folder)] ?? []
      // The same bytes again: a peer gets them from the newer one.
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
    // The newest first.
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

  /// A folder is gone: none of its listings is offered. Returns whether it had one.
  @discardableResult public func remove(folder: String) -> Bool {
    let all = state.withLock { state in
      state.made.remove(BytePath(folder))
      return state.listings.removeValue(forKey: BytePath(folder)) ?? []
    }
    for listing in all { remove(listing) }
    return !all.isEmpty
  }
}
