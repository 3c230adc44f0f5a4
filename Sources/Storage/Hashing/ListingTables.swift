// The SQL statements that write listings of folders: one row for each listing, and one for each MiB of its bytes.
import Content
import SQLite

extension HashWriting {
  /// The bytes of a part of a listing.
  private static var partBytes: Int { 1 << 20 }

  /// Writes a listing of a folder and returns its number. Keeps at most `keptCount` listings of the folder. Hashes that
  /// only a removed listing named are removed too.
  mutating func insertListing(
    of folder: String, _ bytes: [UInt8], root: Digest, contentsLength: UInt64, keptCount: Int
  ) throws(DatabaseError) -> Int64 {
    // Another process that serves the folder may have written the same listing.
    var newest = try database.prepare(
      "SELECT number, root, size FROM listing WHERE folder = ? ORDER BY number DESC LIMIT 1")
    let same = try newest.first(.text(folder)) { row in
      row.blob(1) == root.bytes && row.integer(2) == Int64(bytes.count) ? row.integer(0) : nil
    }
    if case let number?? = same { return number }
    var insert = try database.prepare("INSERT INTO listing (folder, root, size, contents_size) VALUES (?, ?, ?, ?)")
    try insert.run(
      .text(folder), .blob(root.bytes), .integer(Int64(bytes.count)), .integer(Int64(bitPattern: contentsLength)))
    let number = database.lastRowID
    var insertPart = try database.prepare("INSERT INTO listing_part (row, bytes) VALUES (?, ?)")
    let first = RowNumber.parts(ofListing: number).lowerBound
    for (part, start) in stride(from: 0, to: bytes.count, by: HashWriting.partBytes).enumerated() {
      let end = min(start + HashWriting.partBytes, bytes.count)
      try insertPart.run(.integer(first + Int64(part)), .blob(Array(bytes[start..<end])))
    }
    var listOld = try database.prepare(
      "SELECT number FROM listing WHERE folder = ? ORDER BY number DESC LIMIT -1 OFFSET ?")
    for old in try numbers(&listOld, .text(folder), .integer(Int64(keptCount))) { try removeListing(old) }
    try removeRetired()
    return number
  }

  mutating func removeListing(_ number: Int64) throws(DatabaseError) {
    var remove = try database.prepare("DELETE FROM listing WHERE number = ?")
    try remove.run(.integer(number))
    var removeParts = try database.prepare("DELETE FROM listing_part WHERE row BETWEEN ? AND ?")
    let rows = RowNumber.parts(ofListing: number)
    try removeParts.run(.integer(rows.lowerBound), .integer(rows.upperBound))
  }

  /// Removes the deleted files that no listing names. A file is kept while there is a listing, of a folder above it,
  /// that was made before the file was deleted.
  private mutating func removeRetired() throws(DatabaseError) {
    var list = try database.prepare(
      """
      SELECT number FROM file WHERE retired IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM listing WHERE listing.number <= file.retired
        AND (folder = '' OR substr(file.path, 1, length(folder) + 1) = folder || '/'))
      """)
    for number in try numbers(&list) { try remove(try RowNumber.checked(number, in: database.path)) }
  }

  private func numbers(
    _ statement: inout Statement, _ values: DatabaseValue...
  ) throws(DatabaseError) -> [Int64] {
    var numbers: [Int64] = []
    switch values.count {
    case 0: try statement.forEach { numbers.append($0.integer(0)) }
    default: try statement.forEach(values[0], values[1]) { numbers.append($0.integer(0)) }
    }
    return numbers
  }
}
