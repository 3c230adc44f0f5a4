// A row of a catalogue, which describes one file in as little memory as possible.
import Content
import Posix

/// The file at a path. 96 bytes, without its name.
struct CatalogueRow {
  static let none = UInt32.max
  private static let numberMask: Int64 = 1 << 48 - 1

  var root = Digest.zero
  /// Bytes.
  var size: UInt64 = 0
  var inode: UInt64 = 0
  var modified = PackedTime()
  var changed = PackedTime()
  /// The number of the file's hashes, below 2^41, with flags above it.
  private var numberAndFlags: Int64 = 0
  /// The numbers of its attributes and its folder, which rows share. See `Interned`.
  var attributes: UInt32 = 0
  var folder: UInt32 = 0
  /// The name's place in the `NameArena`.
  var name: UInt32 = 0
  /// `next` and `previous` link the rows with the same bytes, oldest first. `next` of the last row is `none`;
  /// `previous` of the first row is the last row. In a free row, `next` is the next free row.
  var next = CatalogueRow.none
  var previous = CatalogueRow.none
  /// For the first row with some bytes: the first row of the next content in the same bucket.
  var nextInBucket = CatalogueRow.none

  /// The number of the file's row in the database.
  var number: Int64 {
    get { numberAndFlags & CatalogueRow.numberMask }
    set { numberAndFlags = numberAndFlags & ~CatalogueRow.numberMask | newValue }
  }
  /// Whether the database has the file but no scan has found it yet.
  var isExpected: Bool {
    get { numberAndFlags & 1 << 48 != 0 }
    set { set(1 << 48, newValue) }
  }
  /// Whether the row is unused.
  var isFree: Bool {
    get { numberAndFlags & 1 << 49 != 0 }
    set { set(1 << 49, newValue) }
  }
  /// Whether the file was found since the latest scan began.
  var isSeen: Bool {
    get { numberAndFlags & 1 << 50 != 0 }
    set { set(1 << 50, newValue) }
  }
  /// As `KnownFile.isYoung`.
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

/// A time in 64 bits: the lower 34 bits of its seconds, and its nanoseconds.
struct PackedTime: Hashable {
  private var bits: UInt64 = 0

  init() {}

  init(_ time: FileTime) {
    bits = UInt64(bitPattern: time.seconds) << 30 | UInt64(truncatingIfNeeded: time.nanoseconds) & (1 << 30 - 1)
  }

  /// - `high`: the upper bits of the seconds.
  func time(_ high: Int32) -> FileTime {
    FileTime(seconds: Int64(high) << 34 | Int64(bits >> 30), nanoseconds: Int64(bits & (1 << 30 - 1)))
  }

  /// The upper bits of the seconds, which `PackedTime` leaves out: 0 from 1970 to 2514.
  static func high(_ time: FileTime) -> Int32 { Int32(truncatingIfNeeded: time.seconds >> 34) }
}

/// The part of a file's status that many files have in common.
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

  /// Returns the status of a file that has these attributes.
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
