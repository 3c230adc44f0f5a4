// Refused listings: those of `Protocol/vectors/invalid/folder.txt`, each with its rule, and some too long for it.
import Testing

@testable import Content

private typealias Rule = FolderListingFault.Rule

/// The rule that each listing of the vectors breaks.
private let rules: [String: Rule] = [
  "empty": .magic, "magic.cut": .magic, "magic.other": .magic, "magic.case": .magic,
  "magic.only": .truncated, "count.cut": .truncated, "count.without-entries": .truncated, "count.large": .truncated,
  "count.small": .trailingBytes, "count.zero": .trailingBytes,
  "count.over-2^22": .tooManyEntries, "count.most": .tooManyEntries,
  "trailing": .trailingBytes, "trailing.nothing": .trailingBytes,
  "path.beyond": .truncated, "target.beyond": .truncated,
  "path.none": .pathEmpty, "path.slash": .componentEmpty, "path.slash-first": .componentEmpty,
  "path.slash-last": .componentEmpty, "path.slash-twice": .componentEmpty,
  "path.nul": .pathNUL, "path.nul-last": .pathNUL,
  "path.component-256": .componentTooLong, "path.component-256-bytes": .componentTooLong,
  "path.4096-bytes": .pathTooLong, "path.65-components": .tooManyComponents,
  "path.of-file": .componentDots, "path.of-executable": .componentDots, "path.of-link": .componentDots,
  "path.of-last": .componentDots,
  "file.empty-with-root": .rootWithoutLength, "file.empty-with-root-of-nothing": .rootWithoutLength,
  "file.executable-empty-with-root": .rootWithoutLength,
  "file.without-root": .lengthWithoutRoot, "file.executable-without-root": .lengthWithoutRoot,
  "chunks.two": .tooManyChunks, "chunks.shared": .tooManyChunks,
  "target.none": .targetEmpty, "target.absolute": .targetOutside, "target.root": .targetOutside,
  "target.slash-last": .targetComponent, "target.slash-twice": .targetComponent, "target.dots-slash": .targetComponent,
  "target.dots-later": .targetComponent, "target.dots-through-link": .targetComponent,
  "target.dots-again": .targetComponent,
  "target.dots-3-of-2": .targetOutside, "target.dots-only-3-of-2": .targetOutside,
  "target.dots-at-top": .targetOutside, "target.dots-at-top-and-name": .targetOutside,
  "target.nul": .targetNUL, "target.4096-bytes": .targetTooLong,
]

/// The rules for listings whose names have a common start.
private let rulesByStart: [(String, Rule)] = [
  ("cut.", .truncated), ("type.", .unknownType), ("path.dot", .componentDots), ("path.utf8-", .pathNotUTF8),
  ("order.", .order), ("below.", .belowEntry), ("sum.", .contentsTooLong), ("target.dot", .targetComponent),
  ("target.utf8-", .targetNotUTF8),
]

private func fault(of bytes: [UInt8]) -> FolderListingFault? {
  do throws(FolderListingFault) {
    let listing = try FolderListing(decoding: bytes)
    _ = try FolderLayout(listing, root: .zero)
    return nil
  } catch {
    return error
  }
}

@Suite(.enabled(if: Vectors.arePresent, "needs Protocol/vectors"))
struct InvalidFolderTests {
  @Test func `each published invalid listing is refused for its rule`() throws {
    let vectors = try Vectors("invalid/folder.txt")
    try #require(vectors.values.count > 100)
    for (name, bytes) in vectors.values where name != "good" {
      let due = rules[name] ?? rulesByStart.first { name.hasPrefix($0.0) }?.1
      #expect(fault(of: bytes)?.rule == due && due != nil, "\(name)")
    }
    #expect(try fault(of: #require(vectors["good"])) == nil)
    for name in rules.keys { #expect(vectors[name] != nil, "no vector \(name)") }
  }

  @Test func `a listing is refused at every truncation and with any byte added`() throws {
    let vectors = try Vectors("folder.txt")
    for name in ["one", "no-bytes", "mixed"] {
      let bytes = try #require(vectors["\(name).listing"])
      #expect(fault(of: bytes) == nil)
      for count in bytes.indices {
        let rule = fault(of: Array(bytes[..<count]))?.rule
        #expect(rule == (count < FolderListing.magic.count ? .magic : .truncated), "\(name) cut to \(count)")
      }
      #expect(fault(of: bytes + [0]) == FolderListingFault(.trailingBytes))
    }
  }

  @Test func `a fault names the entry that breaks the rule`() throws {
    let vectors = try Vectors("invalid/folder.txt")
    #expect(try fault(of: #require(vectors["path.of-last"]))?.entry == 4)
    #expect(try fault(of: #require(vectors["order.equal"]))?.entry == 1)
    #expect(try fault(of: #require(vectors["trailing"])) == FolderListingFault(.trailingBytes))
  }
}

@Suite struct FolderLimitTests {
  private func content(_ length: UInt64) -> FolderEntry.Item {
    .file(FileContent(length: length, root: length == 0 ? .zero : sha256([1])), isExecutable: false)
  }

  @Test func `a listing of more than 2^30 bytes is refused before it is read`() {
    // None of its bytes is touched, so it takes no memory.
    let count = FolderListing.byteCountMax + 1
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { $1 = count }
    #expect(fault(of: bytes) == FolderListingFault(.tooLong))
  }

  @Test func `a listing has at most 2^22 entries`() {
    // The listing declares the highest allowed count, but has no entries.
    let most = FolderListing.magic + bigEndian(UInt32(FolderListing.entryCountMax))
    #expect(fault(of: most) == FolderListingFault(.truncated, entry: 0))
    let more = FolderListing.magic + bigEndian(UInt32(FolderListing.entryCountMax + 1))
    #expect(fault(of: more) == FolderListingFault(.tooManyEntries))
  }

  @Test func `paths and targets that are too long for their fields are refused without a trap`() {
    let long = FolderPath(utf8: Array(repeating: UInt8(ascii: "p"), count: 70_000))
    #expect(throws: FolderListingFault(.pathTooLong, entry: 0)) { try FolderListing([FolderEntry(long, .emptyFolder)]) }
    #expect(throws: FolderListingFault(.targetTooLong, entry: 0)) {
      try FolderListing([FolderEntry(FolderPath("l"), .symbolicLink(target: long))])
    }
  }

  @Test func `contents have at most 2^42 bytes and 2^22 chunks`() throws {
    let half = UInt64(1) << 41
    let most = try FolderListing([
      FolderEntry(FolderPath("a"), content(half)), FolderEntry(FolderPath("b"), content(half)),
    ])
    let layout = try FolderLayout(most, root: .zero)
    #expect(ChunkLayout(layout).chunkCount == ChunkLayout.chunkCountMax)
    #expect(throws: FolderListingFault(.contentsTooLong, entry: 1)) {
      try FolderListing([
        FolderEntry(FolderPath("a"), content(half)), FolderEntry(FolderPath("b"), content(half + 1)),
      ])
    }
    // A byte in a shared chunk leaves one chunk less for the others.
    let shared = try FolderListing([
      FolderEntry(FolderPath("a"), content(half)), FolderEntry(FolderPath("b"), content(half - 1)),
      FolderEntry(FolderPath("c"), content(1)),
    ])
    #expect(throws: FolderListingFault(.tooManyChunks, entry: 1)) { try FolderLayout(shared, root: .zero) }
  }
}
