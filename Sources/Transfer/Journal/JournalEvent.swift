// The events, actions and settings of the journal's state machine.
import Content

/// An event that concerns the data or the journal of a download.
public enum JournalEvent: Sendable {
  /// Leaves were verified and written, but perhaps not synced. `leafHashes`: the hashes of all leaves of the chunk, if
  /// they are known.
  case verified(ChunkIndex, mask: UInt64, leafHashes: [Digest]?)
  /// Leaves that the journal already claims were found on the disk.
  case held(ChunkIndex, mask: UInt64)
  /// A page of chunk hashes was verified against the root.
  case page(HashPage)
  /// `syncData` is done.
  case dataSynced
  /// `append` and `syncJournal` are done.
  case journalSynced
  /// `place`, `syncFolder` and `removeJournal` are done.
  case placed
  /// An action failed. Nothing is appended or done afterwards.
  case failed
  case timerFired
  /// Every chunk is verified and written, so the output can get its name.
  case completed
  /// The download ends incomplete. The journal still claims what it can, for a later download.
  case stopped
}

/// An action for the caller. The caller does the actions in order. If one fails, it does none of the rest, and repeats
/// none.
public enum JournalAction: Hashable, Sendable {
  /// Sync all written data to the disk, then report `dataSynced`.
  case syncData
  /// Append these bytes to the journal.
  case append([UInt8])
  /// Sync the journal, and the names of part file and journal, to the disk, then report `journalSynced`.
  case syncJournal
  /// Give the output its name.
  case place
  /// Sync the folder, so that the name is on the disk.
  case syncFolder
  /// Remove the journal if there is one, then report `placed`. The journal is of no more use, but harmless if it stays.
  case removeJournal
}

/// The limits of a journal.
public struct JournalSettings: Hashable, Sendable {
  /// Files up to this length, in bytes, need no journal: they are quickly hashed or fetched again.
  public var fileBytesWithoutJournalMax: UInt64 = 64 << 20
  /// A sync begins at the latest when this many verified bytes wait for it.
  public var unsyncedBytesMax: UInt64 = 64 << 20
  /// The longest time that a verified leaf waits for a sync, unless one is under way.
  public var unsyncedMax: Duration = .seconds(5)

  public init() {}
}
