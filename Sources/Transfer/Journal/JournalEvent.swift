// What the journal's state is told, what it wants done, and its numbers.
import Content

/// Something happened to what a download keeps on the disk.
public enum JournalEvent: Sendable {
  /// Leaves hash and are written, not necessarily to the disk. `leafHashes`: all those of the chunk, where they are at
  /// hand.
  case verified(ChunkIndex, mask: UInt64, leafHashes: [Digest]?)
  /// Leaves that the journal claims already, and that were found on the disk.
  case held(ChunkIndex, mask: UInt64)
  /// A page of chunk hashes that leads to the root.
  case page(HashPage)
  /// `syncData` is done.
  case dataSynced
  /// `append` and `syncJournal` are done.
  case journalSynced
  /// `place`, `syncFolder` and `removeJournal` are done.
  case placed
  /// One of the actions failed: nothing more is said or done.
  case failed
  case timerFired
  /// Every chunk is verified and written: the output may have its name.
  case completed
  /// The download ends without being complete: what can be claimed is, for a later one.
  case stopped
}

/// To be done in order. Where one fails, those after it are not done, and none is tried again.
public enum JournalAction: Hashable, Sendable {
  /// Wait until all that was written is on the disk; then `dataSynced`.
  case syncData
  /// Append to the journal.
  case append([UInt8])
  /// Wait until the journal is on the disk, and the names of part file and journal; then `journalSynced`.
  case syncJournal
  /// Give the output its name.
  case place
  /// Wait until the name is on the disk.
  case syncFolder
  /// Remove the journal, if there is one: it is of no more use, and harmless; then `placed`.
  case removeJournal
}

/// The numbers of a journal.
public struct JournalSettings: Hashable, Sendable {
  /// Files up to this length, in bytes, are quickly hashed or fetched again: they need no journal.
  public var fileBytesWithoutJournalMax: UInt64 = 64 << 20
  /// Verified bytes that are synced at the latest.
  public var unsyncedBytesMax: UInt64 = 64 << 20
  /// How long a verified leaf waits at the latest, unless a sync is under way.
  public var unsyncedMax: Duration = .seconds(5)

  public init() {}
}
