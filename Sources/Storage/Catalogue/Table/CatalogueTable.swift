// The index of a catalogue: files by path, by content and by bucket, in about 120 bytes each. The cost of adding or
// removing a file does not depend on how many files have the same bytes.
import Content
import Posix

/// The entries of a catalogue. Two paths with the same bytes are two entries; the older one serves their fileID.
struct CatalogueTable {
  var rows = Pieces<CatalogueRow>()
  private var firstFree = CatalogueRow.none
  private var names = NameArena()
  private var folders = Interned<BytePath>()
  private var attributes = Interned<FileAttributes>()
  private var paths = RowIndex()
  /// The first row of each content.
  var contents = RowIndex()
  /// The first row of the first content of each bucket.
  var buckets: [UInt16: UInt32] = [:]
  /// Grows when a content is added or removed.
  var changeCount: UInt64 = 0
  mutating func noteChange() { changeCount += 1 }
  /// The sum of all entries' lengths, in bytes.
  var bytes: UInt64 = 0
  var count = 0

  // MARK: Entries

  func entry(at path: String) -> CatalogueEntry? {
    servedRow(at: path).map { CatalogueEntry(path: path, status: status($0), hashes: hashes($0)) }
  }

  /// The entry that serves a content.
  func entry(of content: FileContent) -> CatalogueEntry? { first(content).map(entry) }

  /// Whether an entry has these bytes.
  func has(_ content: FileContent) -> Bool { first(content) != nil }

  /// The content of the file at a path. Nil if its status shows that the bytes may have changed.
  func content(at path: String, _ status: FileStatus) -> FileContent? {
    guard let row = servedRow(at: path), status.sameContentButAttributes(as: self.status(row)) else { return nil }
    return rows[Int(row)].content
  }

  /// The content of the file at a path, and whether its owner may execute it, as the latest scan found them.
  func latest(at path: String) -> (FileContent, isExecutable: Bool)? {
    servedRow(at: path).map { (rows[Int($0)].content, status($0).isExecutable) }
  }

  /// The entries that serve a fileID of this bucket, one for each fileID.
  func candidates(bucket: UInt16) -> [CatalogueEntry] {
    var found: [CatalogueEntry] = []
    var row = buckets[bucket] ?? CatalogueRow.none
    while row != CatalogueRow.none {
      found.append(entry(row))
      row = rows[Int(row)].nextInBucket
    }
    return found
  }

  /// The entries below a folder, in no order; "" is all of them.
  func entries(below folder: String = "") -> [CatalogueEntry] {
    let below = folders.used.filter { $0.key.text == folder || isBelow(folder, $0.key.text) }.values
    let isAll = folder.isEmpty
    let numbers = Set(isAll ? [] : Array(below))
    return servedRows.filter { isAll || numbers.contains(rows[Int($0)].folder) }.map(entry)
  }

  /// Adds an entry. Returns the older entry of the same path, which it replaces. `bucketOf` is called for both.
  mutating func add(_ entry: CatalogueEntry, bucketOf: (FileID) -> UInt16) -> CatalogueEntry? {
    let old = self.entry(at: entry.path)
    if let row = row(at: entry.path) { remove(row, bucketOf) }
    var new = CatalogueRow()
    new.root = entry.root
    new.size = entry.length
    new.inode = entry.status.identity.inode
    new.modified = PackedTime(entry.status.modified)
    new.changed = PackedTime(entry.status.changed)
    new.number = entry.hashes.number
    new.isSeen = true
    new.isYoung = entry.hashes.isYoung
    new.attributes = attributes.retain(FileAttributes(entry.status))
    serve(insert(new, at: place(of: entry.path)), bucketOf(entry.fileID))
    return old
  }

  /// Removes an entry. Returns false if the path has another entry or none.
  @discardableResult mutating func remove(_ entry: CatalogueEntry, bucket: UInt16) -> Bool {
    guard let row = servedRow(at: entry.path), hashes(row) == entry.hashes, status(row) == entry.status else {
      return false
    }
    remove(row) { _ in bucket }
    return true
  }

  mutating func removeAll() {
    let changeCount = changeCount
    self = CatalogueTable()
    self.changeCount = changeCount + 1
  }

  // MARK: Files known from the database

  /// A file that the database has, with its row.
  struct Expected {
    let hashes: KnownFile
    fileprivate let row: UInt32
  }

  /// Adds a file that the database has. The file may still be at its path.
  mutating func expect(_ stored: StoredRow) {
    let place = place(of: stored.path)
    guard row(at: place) == nil else { return }
    var new = CatalogueRow()
    new.root = stored.known.root
    new.size = stored.size
    new.inode = stored.identity.inode
    new.modified = PackedTime(stored.modified)
    new.changed = PackedTime(stored.changed)
    new.number = stored.known.number
    new.isExpected = true
    new.attributes = attributes.retain(FileAttributes(stored))
    _ = insert(new, at: place)
  }

  /// Returns the hashes of the file at a path, if the database has them and the file has not changed since. A changed
  /// time of change is accepted if the mode differs too: then the change of mode caused it.
  func expected(at path: String, _ status: FileStatus) -> Expected? {
    guard let row = row(at: path), rows[Int(row)].isExpected else { return nil }
    let (file, known) = (rows[Int(row)], attributes[rows[Int(row)].attributes])
    let now = FileAttributes(status)
    guard file.inode == status.identity.inode, known.device == now.device, file.size == status.size,
      file.modified == PackedTime(status.modified), known.modifiedHigh == now.modifiedHigh
    else { return nil }
    let isUnchanged = file.changed == PackedTime(status.changed) && known.changedHigh == now.changedHigh
    guard isUnchanged || known.mode != nil && known.mode != now.mode else { return nil }
    return Expected(hashes: hashes(row), row: row)
  }

  /// Serves an expected file. `expected` must come from `expected(at:_:)` with the same status.
  mutating func confirm(
    _ expected: Expected, at path: String, _ status: FileStatus, bucketOf: (FileID) -> UInt16
  ) -> CatalogueEntry? {
    let row = expected.row
    guard rows[Int(row)].isExpected, hashes(row) == expected.hashes else { return nil }
    let shared = attributes.retain(FileAttributes(status))
    attributes.release(rows[Int(row)].attributes)
    rows[Int(row)].attributes = shared
    rows[Int(row)].changed = PackedTime(status.changed)
    rows[Int(row)].isExpected = false
    rows[Int(row)].isSeen = true
    let entry = CatalogueEntry(path: path, status: status, hashes: hashes(row))
    serve(row, bucketOf(entry.fileID))
    return entry
  }

  /// The paths of the files that no scan has found yet.
  var expectedPaths: [BytePath] {
    (0..<UInt32(rows.count)).filter { rows[Int($0)].isExpected }.map { BytePath(path($0)) }
  }

  /// Removes the files that no scan has found. Returns the numbers of their hashes, except for those whose paths are in
  /// `kept`.
  mutating func takeExpected(but kept: Set<BytePath>) -> [Int64] {
    var numbers: [Int64] = []
    for row in 0..<UInt32(rows.count) where rows[Int(row)].isExpected {
      if kept.isEmpty || !kept.contains(BytePath(path(row))) { numbers.append(rows[Int(row)].number) }
      remove(row) { _ in 0 }
    }
    return numbers
  }

  // MARK: Scanning the folder

  mutating func beginSweep() { for row in servedRows { rows[Int(row)].isSeen = false } }

  /// Records that the scan found a file. Returns whether it is the file that is served.
  mutating func see(_ path: String, _ status: FileStatus) -> Bool {
    guard let row = servedRow(at: path) else { return false }
    rows[Int(row)].isSeen = true
    return status.sameContent(as: self.status(row))
  }

  /// The paths of the entries that the scan has not found.
  var unseen: [String] { servedRows.filter { !rows[Int($0)].isSeen }.map(path) }

  // MARK: Rows

  private var servedRows: some Sequence<UInt32> {
    (0..<UInt32(rows.count)).lazy.filter { rows[Int($0)].isServed }
  }

  private func entry(_ row: UInt32) -> CatalogueEntry {
    CatalogueEntry(path: path(row), status: status(row), hashes: hashes(row))
  }

  private func hashes(_ row: UInt32) -> KnownFile {
    KnownFile(number: rows[Int(row)].number, root: rows[Int(row)].root, isYoung: rows[Int(row)].isYoung)
  }

  private func status(_ row: UInt32) -> FileStatus {
    let file = rows[Int(row)]
    return attributes[file.attributes].status(file.inode, file.size, file.modified, file.changed)
  }

  private func path(_ row: UInt32) -> String {
    let folder = folders[rows[Int(row)].folder].text
    let name = String(decoding: names[rows[Int(row)].name], as: UTF8.self)
    return folder.isEmpty ? name : folder + "/" + name
  }

  private func servedRow(at path: String) -> UInt32? { row(at: path).flatMap { rows[Int($0)].isServed ? $0 : nil } }

  /// A path, split and looked up once.
  private struct Place {
    let folder: BytePath
    let name: Substring
    /// The folder's number, and the hash of folder and name. Nil if no row has the folder.
    let found: (folder: UInt32, hash: Int)?
  }

  private func place(of path: String) -> Place {
    let (folder, name) = BytePath(path).parts
    let number = folders.number(of: BytePath(folder))
    return Place(
      folder: BytePath(folder), name: name, found: number.map { ($0, CatalogueTable.hash($0, name.utf8)) })
  }

  private func row(at path: String) -> UInt32? { row(at: place(of: path)) }

  private func row(at place: Place) -> UInt32? {
    guard let (folder, hash) = place.found else { return nil }
    return paths.first(hash) { row in
      rows[Int(row)].folder == folder && names[rows[Int(row)].name].elementsEqual(place.name.utf8)
    }
  }

  private mutating func insert(_ new: CatalogueRow, at place: Place) -> UInt32 {
    var new = new
    new.folder = folders.retain(place.folder)
    new.name = names.add(place.name.utf8)
    let row: UInt32
    if firstFree != CatalogueRow.none {
      row = firstFree
      firstFree = rows[Int(row)].next
      rows[Int(row)] = new
    } else {
      row = UInt32(rows.count)
      rows.append(new)
    }
    let (rows, names) = (rows, names)
    let hash = place.found?.hash ?? CatalogueTable.hash(new.folder, place.name.utf8)
    paths.insert(row, hash) { CatalogueTable.pathHash($0, rows, names) }
    return row
  }

  private mutating func remove(_ row: UInt32, _ bucketOf: (FileID) -> UInt16) {
    let file = rows[Int(row)]
    if file.isServed { stopServing(row, bucketOf(FileID(kind: .file, length: file.size, root: file.root))) }
    do {
      let (rows, names) = (rows, names)
      paths.remove(row, CatalogueTable.pathHash(row, rows, names)) { CatalogueTable.pathHash($0, rows, names) }
    }
    names.remove(file.name)
    folders.release(file.folder)
    attributes.release(file.attributes)
    rows[Int(row)] = CatalogueRow()
    rows[Int(row)].isFree = true
    rows[Int(row)].next = firstFree
    firstFree = row
  }
}
