// Files that were found and are not hashed yet: at a first start these are all files of the folder.
import Posix

/// Files in the order in which they were found, in batches without an object for each file. About 100 bytes a file.
struct ScannedQueue {
  /// Files of a batch: the next batch waits for the last file of the one before it.
  static let batchFiles = 1024

  private struct Batch {
    /// The folders, each with the number of its first file in the batch.
    var folders: [(prefix: String, first: Int)] = []
    var names: [UInt8] = []
    /// Where each name ends.
    var ends: [Int] = []
    var statuses: [FileStatus] = []
  }
  private var batches: [Batch] = []
  /// Batches that were taken.
  private var takenCount = 0
  /// Files that wait.
  private(set) var count = 0
  /// Their bytes. Two huge sparse files must not overflow a counter that is only shown.
  private(set) var bytes: UInt64 = 0

  var isEmpty: Bool { count == 0 }

  /// - `prefix`: the path of the folder with a "/" at its end; "" is the served folder.
  mutating func append(_ name: String, in prefix: String, _ status: FileStatus) {
    if takenCount == batches.count || batches[batches.count - 1].statuses.count == ScannedQueue.batchFiles {
      batches.append(Batch())
    }
    let last = batches.count - 1
    if batches[last].folders.last?.prefix.utf8.elementsEqual(prefix.utf8) != true {
      batches[last].folders.append((prefix, batches[last].statuses.count))
    }
    batches[last].names += name.utf8
    batches[last].ends.append(batches[last].names.count)
    batches[last].statuses.append(status)
    count += 1
    bytes &+= status.size
  }

  /// The next files; none if none wait.
  mutating func takeBatch() -> [ScannedFile] {
    guard takenCount < batches.count else { return [] }
    let batch = batches[takenCount]
    batches[takenCount] = Batch()
    takenCount += 1
    if takenCount == batches.count { (batches, takenCount) = ([], 0) }
    var files: [ScannedFile] = []
    files.reserveCapacity(batch.statuses.count)
    var (folder, start) = (0, 0)
    for (i, status) in batch.statuses.enumerated() {
      while folder + 1 < batch.folders.count, batch.folders[folder + 1].first <= i { folder += 1 }
      let name = String(decoding: batch.names[start..<batch.ends[i]], as: UTF8.self)
      start = batch.ends[i]
      files.append(ScannedFile(path: batch.folders[folder].prefix + name, status: status, isNew: true))
      bytes &-= status.size
    }
    count -= files.count
    return files
  }
}
