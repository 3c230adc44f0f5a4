// Finds the files of a catalogue by their bytes. Files with the same bytes form a list, whose first file is served.
import Content

extension CatalogueTable {
  func first(_ content: FileContent) -> UInt32? {
    contents.first(CatalogueTable.hash(content)) { rows[Int($0)].content == content }
  }

  mutating func serve(_ row: UInt32, _ bucket: UInt16) {
    let content = rows[Int(row)].content
    count += 1
    bytes += content.length
    if let first = first(content) {
      let last = rows[Int(first)].previous
      rows[Int(last)].next = row
      rows[Int(row)].previous = last
      rows[Int(first)].previous = row
      return
    }
    rows[Int(row)].previous = row
    rows[Int(row)].nextInBucket = buckets[bucket] ?? CatalogueRow.none
    buckets[bucket] = row
    let rows = rows
    contents.insert(row, CatalogueTable.hash(content)) { CatalogueTable.hash(rows[Int($0)].content) }
    changeCount += 1
  }

  mutating func stopServing(_ row: UInt32, _ bucket: UInt16) {
    let file = rows[Int(row)]
    count -= 1
    bytes -= file.size
    if first(file.content) != row {
      rows[Int(file.previous)].next = file.next
      // If this was the last row of the list, the first row's `previous` must point to the new last row.
      rows[Int(file.next == CatalogueRow.none ? first(file.content)! : file.next)].previous = file.previous
    } else if file.next != CatalogueRow.none {
      rows[Int(file.next)].previous = file.previous
      rows[Int(file.next)].nextInBucket = file.nextInBucket
      link(file.next, inPlaceOf: row, bucket)
      contents.replace(row, with: file.next, CatalogueTable.hash(file.content))
    } else {
      link(file.nextInBucket, inPlaceOf: row, bucket)
      let rows = rows
      contents.remove(row, CatalogueTable.hash(file.content)) { CatalogueTable.hash(rows[Int($0)].content) }
      changeCount += 1
    }
  }

  /// Makes the bucket point to the row `new`, or to no row, where it pointed to `old`.
  private mutating func link(_ new: UInt32, inPlaceOf old: UInt32, _ bucket: UInt16) {
    guard var row = buckets[bucket] else { preconditionFailure("a served row is in its bucket") }
    if row == old {
      buckets[bucket] = new == CatalogueRow.none ? nil : new
      return
    }
    while rows[Int(row)].nextInBucket != old { row = rows[Int(row)].nextInBucket }
    rows[Int(row)].nextInBucket = new
  }
}
