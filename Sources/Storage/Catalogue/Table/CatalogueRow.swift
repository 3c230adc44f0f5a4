// A file of a catalogue, as small as it can be.
import Content
import Posix

/// The file of a path. 96 bytes, besides its name.
struct CatalogueRow {
  static let none = UInt32.max
  private static let numberMask: Int64 = 1 << 48 - 1

  var root = Digest.zero
  /// Bytes.
  var size: UInt64 = 0
  var inode: UInt64 = 0
  var modified = PackedTime()
  var changed = PackedTime()
  /// The number of its hashes, below 2^41, and flags above it.
  private var numberAndFlags: Int64 = 0
  /// Numbers of values that rows share.
  var attributes: UInt32 = 0
  var folder: UInt32 = 0
  /// The place of its name.
  var name: UInt32 = 0
  /// Rows of the same bytes, in the order in which they came: the first one is before the second, and after the last.
  /// In a row that is free: the next free one.
  var next = CatalogueRow.none
  var previous = CatalogueRow.none
  /// If it is the first of its bytes: the next such row of the same bucket.
  var nextInBucket = CatalogueRow.none

  /// Of its row in the database.
  var number: Int64 {
    get { numberAndFlags & CatalogueRow.numberMask }
    set { numberAndFlags = numberAndFlags & ~CatalogueRow.numberMask | newValue }
  }
  /// The database has the file, and nobody has seen it yet.
  var isExpected: Bool {
    get { numberAndFlags & 1 << 48 != 0 }
    set { set(1 << 48, newValue) }
  }
  /// No path has it.
  var isFree: Bool {
    get { numberAndFlags & 1 << 49 != 0 }
    set { set(1 << 49, newValue) }
  }
  /// It was found since the latest look through the folder began.
  var isSeen: Bool {
    get { numberAndFlags & 1 << 50 != 0 }
    set { set(1 << 50, newValue) }
  }
  /// As of `KnownFile`.
  var isYoung: Bool {
    get { numberAndFlags & 1 << 51 != 0 }
    set { set(1 << 51, newValue) }
  }
  var isServed: Bool { !isExpected && !isFree }
  var content: FileContent { FileContent(length: size, root: root) }

  private mutating func set(_ flag: Int64, _ value: Bool) {
    numberAndFlags = value ? numberAndFlags | flag : numberAndFlags & ~flag
  }
}

/// The lower 34 bits of the seconds of a time, and its nanoseconds.
struct PackedTime: Hashable {
  private var bits: UInt64 = 0

  init() {}

  init(_ time: FileTime) {
    bits = UInt64(bitPattern: time.seconds) << 30 | UInt64(truncatingIfNeeded: time.nanoseconds) & (1 << 30 - 1)
  }

  /// - `high`: the other bits of the seconds.
  func time(_ high: Int32) -> FileTime {
    FileTime(seconds: Int64(high) << 34 | Int64(bits >> 30), nanoseconds: Int64(bits & (1 << 30 - 1)))
  }

  /// The bits of the seconds that it has not: 0 from 1970 to 2514.
  static func high(_ time: FileTime) -> Int32 { Int32(truncatingIfNeeded: time.seconds >> 34) }
}

/// The part of a file's status that it has in common with many others.
struct FileAttributes: Hashable {
  let device: UInt64
  /// Nil if it is unknown.
  let mode: UInt32?
  let owner: UInt32
  let linkCount: UInt64
  let modifiedHigh: Int32
  let changedHigh: Int32

  init(_ status: FileStatus) {
    device = status.identity.device
    mode = status.mode
    owner = status.owner
    linkCount = status.linkCount
    modifiedHigh = PackedTime.high(status.modified)
    changedHigh = PackedTime.high(status.changed)
  }

  /// The status of a file that has these attributes.
  func status(_ inode: UInt64, _ size: UInt64, _ modified: PackedTime, _ changed: PackedTime) -> FileStatus {
    FileStatus(
      regular: FileIdentity(device: device, inode: inode), size: size, modified: modified.time(modifiedHigh),
      changed: changed.time(changedHigh), mode: mode ?? 0, owner: owner, linkCount: linkCount)
  }

  init(_ row: StoredRow) {
    device = row.identity.device
    mode = row.mode
    owner = 0
    linkCount = 0
    modifiedHigh = PackedTime.high(row.modified)
    changedHigh = PackedTime.high(row.changed)
  }
}

// The hashes by which a table finds its rows.
extension CatalogueTable {
  static func pathHash(_ row: UInt32, _ rows: Pieces<CatalogueRow>, _ names: NameArena) -> Int {
    hash(rows[Int(row)].folder, names[rows[Int(row)].name])
  }

  static func hash(_ folder: UInt32, _ name: some Sequence<UInt8>) -> Int {
    var hasher = Hasher()
    hasher.combine(folder)
    hasher.combine(bytesOf: name)
    return hasher.finalize()
  }

  static func hash(_ content: FileContent) -> Int {
    var hasher = Hasher()
    hasher.combine(content.root.mark)
    return hasher.finalize()
  }
}
