// The files that were found and not hashed yet. At a first start these are all files of the folder.
import Posix

/// Files in the order in which they were found, in batches without an object for each file. A file takes 40 bytes and
/// its name's bytes.
struct ScannedQueue {
  /// The files in a batch. A batch begins when the last file of the batch before it is hashed.
  static let batchFiles = 4096

  private struct Row {
    let inode: UInt64
    /// Bytes.
    let size: UInt64
    let modified: PackedTime
    let changed: PackedTime
    /// The index of its attributes in the batch.
    let attributes: UInt32
    /// The end of its name in the names of the batch.
    let nameEnd: UInt32
  }
  private struct Batch {
    /// The folders, each with the index of its first file in the batch.
    var folders: [(prefix: String, first: Int)] = []
    var names: [UInt8] = []
    /// Neighbouring files often share their attributes.
    var attributes: [FileAttributes] = []
    var rows: [Row] = []
  }
  private var batches: [Batch] = []
  /// The number of batches that were taken.
  private var takenCount = 0
  /// The number of waiting files.
  private(set) var count = 0
  /// Their bytes. Two huge sparse files must not overflow a counter that is only displayed.
  private(set) var bytes: UInt64 = 0

  var isEmpty: Bool { count == 0 }

  /// - `prefix`: the path of the folder with a "/" at its end. "" is the served folder.
  mutating func append(_ name: String, in prefix: String, _ status: FileStatus) {
    if takenCount == batches.count || batches[batches.count - 1].rows.count == ScannedQueue.batchFiles {
      batches.append(Batch())
      batches[batches.count - 1].rows.reserveCapacity(ScannedQueue.batchFiles)
    }
    let last = batches.count - 1
    if batches[last].folders.last?.prefix.utf8.elementsEqual(prefix.utf8) != true {
      batches[last].folders.append((prefix, batches[last].rows.count))
    }
    batches[last].names += name.utf8
    let attributes = FileAttributes(status)
    if batches[last].attributes.last != attributes { batches[last].attributes.append(attributes) }
    batches[last].rows.append(
      Row(
        inode: status.identity.inode, size: status.size, modified: PackedTime(status.modified),
        changed: PackedTime(status.changed), attributes: UInt32(batches[last].attributes.count - 1),
        nameEnd: UInt32(batches[last].names.count)))
    count += 1
    bytes &+= status.size
  }

  /// Returns the next files. Empty if none wait.
  mutating func takeBatch() -> [ScannedFile] {
    guard takenCount < batches.count else { return [] }
    let batch = batches[takenCount]
    batches[takenCount] = Batch()
    takenCount += 1
    if takenCount == batches.count { (batches, takenCount) = ([], 0) }
    var files: [ScannedFile] = []
    files.reserveCapacity(batch.rows.count)
    var (folder, start) = (0, 0)
    for (i, row) in batch.rows.enumerated() {
      while folder + 1 < batch.folders.count, batch.folders[folder + 1].first <= i { folder += 1 }
      let name = String(decoding: batch.names[start..<Int(row.nameEnd)], as: UTF8.self)
      start = Int(row.nameEnd)
      let status = batch.attributes[Int(row.attributes)].status(row.inode, row.size, row.modified, row.changed)
      files.append(ScannedFile(path: batch.folders[folder].prefix + name, status: status, isNew: true))
      bytes &-= row.size
    }
    count -= files.count
    return files
  }
}
