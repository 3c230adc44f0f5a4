// Stores the names of a scan, which may be millions, without an object for each.
import Content
import Posix

/// Names in the order in which they were added. Each takes 48 bytes of memory and its path's bytes, and links also take
/// their targets' bytes.
struct ScannedNames: Sendable, RandomAccessCollection {
  /// The bytes of a block of paths. A longer path has its own block.
  private static let pieceBytes = 1 << 16

  /// A name without the values that many names share.
  private struct Row: Sendable {
    let size: UInt64
    let inode: UInt64
    let modified: PackedTime
    let changed: PackedTime
    /// The number of its shared values.
    let attributes: UInt32
    /// The place of its path: the block, and the range of bytes in it.
    let piece: UInt32
    let start: UInt32
    let count: UInt32
  }

  private struct Attributes: Hashable, Sendable {
    let device: UInt64
    let kind: FileKind
    let mode: UInt32
    let owner: UInt32
    let linkCount: UInt64
    let modifiedHigh: Int32
    let changedHigh: Int32
    let isOpaque: Bool
  }

  private var rows = Pieces<Row>()
  private var paths: [[UInt8]] = []
  private var attributes = Interned<Attributes>()
  /// The targets of symbolic links.
  private var targets: [Int: [UInt8]] = [:]

  var startIndex: Int { 0 }
  var endIndex: Int { rows.count }

  subscript(place: Int) -> ScannedName {
    let row = rows[place]
    return ScannedName(
      path: FolderPath(utf8: Array(path(of: row))), status: status(of: row), target: targets[place] ?? [],
      isOpaque: attributes[row.attributes].isOpaque)
  }

  /// Returns the status of a name, without making its path.
  func status(at place: Int) -> FileStatus { status(of: rows[place]) }

  /// Whether a name comes before a path in the order of a listing.
  func isName(at place: Int, before path: FolderPath) -> Bool {
    FolderPath.isOrdered(self.path(of: rows[place]), before: path.utf8[...])
  }

  /// Whether the name at a place has this path.
  func hasName(at place: Int, _ path: FolderPath) -> Bool { self.path(of: rows[place]) == path.utf8[...] }

  mutating func append(_ name: ScannedName) {
    let bytes = name.path.utf8
    if paths.last.map({ $0.count + bytes.count > ScannedNames.pieceBytes }) ?? true {
      var piece: [UInt8] = []
      piece.reserveCapacity(Swift.max(ScannedNames.pieceBytes, bytes.count))
      paths.append(piece)
    }
    let last = paths.count - 1
    let start = paths[last].count
    paths[last] += bytes
    if !name.target.isEmpty { targets[rows.count] = name.target }
    let status = name.status
    let shared = Attributes(
      device: status.identity.device, kind: status.kind, mode: status.mode, owner: status.owner,
      linkCount: status.linkCount, modifiedHigh: PackedTime.high(status.modified),
      changedHigh: PackedTime.high(status.changed), isOpaque: name.isOpaque)
    rows.append(
      Row(
        size: status.size, inode: status.identity.inode, modified: PackedTime(status.modified),
        changed: PackedTime(status.changed), attributes: attributes.retain(shared), piece: UInt32(last),
        start: UInt32(start), count: UInt32(bytes.count)))
  }

  private func path(of row: Row) -> ArraySlice<UInt8> {
    paths[Int(row.piece)][Int(row.start)..<Int(row.start) + Int(row.count)]
  }

  private func status(of row: Row) -> FileStatus {
    let shared = attributes[row.attributes]
    return FileStatus(
      FileIdentity(device: shared.device, inode: row.inode), shared.kind, size: row.size,
      modified: row.modified.time(shared.modifiedHigh), changed: row.changed.time(shared.changedHigh),
      mode: shared.mode, owner: shared.owner, linkCount: shared.linkCount)
  }
}
