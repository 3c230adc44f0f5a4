// Rows of the catalogue's database that a damaged disk or another program may have left.
import Content
import Glibc
import Posix
import SQLite

@testable import Storage

enum CatalogueRows {
  static let target = Target(
    "catalogue",
    seeds: { _ in [[0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 0, 4], [1, 1, 7, 2, 9, 3, 5, 5, 6, 0]] },
    run)

  /// Set up once: a folder with one file, its store, and a separate connection with which the fuzzer writes rows.
  private final class Bench: Sendable {
    let store: HashStore
    let status: FileStatus
    let leafHash: Digest
    let database: Database

    init() throws {
      let place = "\(Environment.variable("FUZZ_FOLDER") ?? "/dev/shm")/p2pnode-fuzz-\(getpid())"
      for folder in ["", "/state", "/served"] { mkdir(place + folder, 0o700) }
      let bytes = [UInt8](repeating: 3, count: 100)
      try File("\(place)/served/a", [.readWrite, .createExclusive]).write(bytes.span.bytes, at: 0)
      status = try File("\(place)/served/a", [.read]).status()
      leafHash = MerkleTree.leafHash(bytes.span.bytes)
      store = try HashStore(of: try ServedFolder("\(place)/served"), in: "\(place)/state")
      database = try Database(store.path, busyTimeoutMilliseconds: 1_000)
      try database.run("PRAGMA synchronous = OFF")
    }
  }
  private static let bench: Bench = {
    do { return try Bench() } catch { fatalError("cannot set up the catalogue: \(error)") }
  }()

  private static func run(_ bytes: [UInt8]) {
    do throws(DatabaseError) { try play(bytes) } catch {
      require(error.isDamage, "rows of any content are read, or are damage: \(error)")
    }
  }

  private static func play(_ bytes: [UInt8]) throws(DatabaseError) {
    var input = Input(bytes)
    try fill(&input)
    let (store, status) = (bench.store, bench.status)
    let layout = ChunkLayout(fileLength: status.size)!
    if let known = try store.known("a", status) {
      let page = try store.page(PageIndex(0), of: known, in: PageLayout(layout))
      require(page?.chunkHashes == [known.root], "a file is known where its page leads to its root")
      let leaves = try store.leafHashes(of: ChunkIndex(0), of: known)
      do throws(LeafHashesFault) {
        let verified = try LeafHashes(verifying: leaves, of: ChunkIndex(0), hash: known.root, in: layout)
        require(verified.hashes == [known.root], "a chunk of one leaf is its leaf")
      } catch { return }
    }
    var numbers: [Int64] = []
    try store.forEachFile { numbers.append($0.known.number) }
    try store.retire(numbers)
    require(try count() == 0, "every finished file can be forgotten")
  }

  private static func count() throws(DatabaseError) -> Int64? {
    try bench.database.integer("SELECT count(*) FROM file WHERE root IS NOT NULL")
  }

  private static func fill(_ input: inout Input) throws(DatabaseError) {
    try bench.database.run("BEGIN IMMEDIATE; DELETE FROM file; DELETE FROM page; DELETE FROM leaves")
    for _ in 0..<8 where !input.isAtEnd {
      let number = number(&input)
      switch input.u8() & 3 {
      case 0, 1:
        let root: DatabaseValue = input.u8() & 3 == 3 ? .null : .blob(digest(&input))
        let isOurs = input.u8() & 3 != 3
        try insertFile(number, isOurs ? "a" : String(decoding: input.take(4), as: UTF8.self), root, isOurs)
      case 2: try insert("INSERT OR REPLACE INTO page VALUES (?, ?, ?)", number << 10, digest(&input), input.take(33))
      default: try insert("INSERT OR REPLACE INTO leaves VALUES (?, ?)", number << 20, digest(&input), nil)
      }
    }
    try bench.database.commit()
  }

  private static func number(_ input: inout Input) -> Int64 {
    switch input.u8() & 7 {
    case 7: Int64(bitPattern: input.u64())
    case 6: Int64(input.u16()) << 43
    default: Int64(input.u8() & 3)
    }
  }

  private static func digest(_ input: inout Input) -> [UInt8] {
    switch input.u8() & 3 {
    case 3: input.take(Int(input.u8() & 127))
    case 2: input.bytes32()
    default: bench.leafHash.bytes
    }
  }

  private static func insertFile(
    _ number: Int64, _ path: String, _ root: DatabaseValue, _ isOurs: Bool
  ) throws(DatabaseError) {
    let (status, other) = (bench.status, Int64(isOurs ? 0 : 1))
    var statement = try bench.database.prepare("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    try statement.run(
      .integer(number), .text(path), .integer(Int64(bitPattern: status.identity.device)),
      .integer(Int64(bitPattern: status.identity.inode)), .integer(Int64(status.size) + other),
      .integer(status.modified.seconds), .integer(status.modified.nanoseconds), .integer(status.changed.seconds),
      .integer(status.changed.nanoseconds), root)
  }

  private static func insert(
    _ sql: StaticString, _ row: Int64, _ hashes: [UInt8], _ uncles: [UInt8]?
  ) throws(DatabaseError) {
    var statement = try bench.database.prepare(sql)
    if let uncles {
      try statement.run(.integer(row), .blob(hashes), .blob(uncles.count == 33 ? uncles : []))
    } else {
      try statement.run(.integer(row), .blob(hashes))
    }
  }
}
