// The listings of a watched folder that changes: when they are made, and their paths. The test controls the clock.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

/// A watched folder whose listings are made when they are due.
private final class Listed {
  let temporary = TemporaryFolder()
  private let state = TemporaryFolder()
  let catalogue: Catalogue
  private(set) var folder: WatchedFolder!
  private(set) var log: [String] = []
  /// The number of bytes that were hashed since the start.
  private(set) var hashedBytes: UInt64 = 0
  private let clock = Clock()

  private final class Clock { var now: Int64 = 0 }

  init(_ files: String..., rules: ServingRules = ServingRules()) throws {
    for file in files { temporary.write(file, pattern(100, seed: UInt64(file.utf8.count))) }
    let catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path, rules: rules), stateFolder: state.path, bucketOf: { _ in 0 })
    self.catalogue = catalogue
    let clock = clock
    folder = try WatchedFolder(catalogue, now: { clock.now }) { [unowned self] news in
      switch news {
      case .withdraw(let entry, _): catalogue.withdraw(entry)
      case .event(.warning(let text)): log.append(text)
      case .event(.unlisted(let folder)): log.append("- \(folder)")
      case .event, .replaced: break
      }
    }
    turn()
    log = []
  }

  /// Handles the events so far, `seconds` later, hashes ready files, and makes the listings that are due.
  func turn(afterSeconds seconds: Int64 = 0) {
    clock.now += seconds * 1_000_000_000
    while folder.takeEvents() {}
    folder.settle()
    let events = Events()
    catalogue.load(folder.takeReady(), threads: 1, onEvent: events.add)
    hashedBytes += events.hashedBytes
    for path in events.added { folder.hashed(path, nil) }
    for skipped in events.skipped { folder.hashed(skipped.path, skipped.reason) }
    folder.batchEnded(wasStopped: false)
    for due in folder.takeDueListings() {
      var failure: ListingError?
      do throws(ListingError) {
        if let listed = try catalogue.makeListing(of: due, leavingOut: folder.leftOutFiles) {
          log.append("+ \(listed.listing.path)")
        }
      } catch {
        failure = error
      }
      folder.listed(due, failure, tookNanoseconds: 0)
    }
  }

  /// Returns the lines reported since the last call.
  func news(afterSeconds seconds: Int64 = 0) -> [String] {
    turn(afterSeconds: seconds)
    defer { log = [] }
    return log
  }

  /// Returns the paths in the newest listing of a folder. Nil if it has none.
  func paths(_ path: String = "") throws -> [String]? {
    guard let newest = catalogue.listings.newest(of: path) else { return nil }
    let listing = try catalogue.listings.load(newest).layout.listing
    return (0..<listing.count).map { listing.path(of: $0).description }
  }
}

@Suite struct WatchedListingTests {
  @Test func `the folder and its subfolders are listed when their files are hashed`() throws {
    let listed = try Listed("a", "x/b", "x/y/c")
    #expect(listed.catalogue.listings.newest.map(\.path) == ["./", "x/"])
    #expect(try listed.paths() == ["a", "x/b", "x/y/c"])
    #expect(try listed.paths("x") == ["b", "y/c"])
    #expect(listed.news(afterSeconds: 100) == [], "nothing changes")
    #expect(try Listed("a", "x/b", rules: ServingRules(folders: .none)).catalogue.listings.newest.isEmpty)
    let all = try Listed("x/y/c", rules: ServingRules(folders: .all))
    #expect(all.catalogue.listings.newest.map(\.path) == ["./", "x/", "x/y/"])
  }

  @Test func `a new file gives new listings to its folders alone, and only after 10 s`() throws {
    let listed = try Listed("a", "x/b", "y/c")
    listed.temporary.write("x/new", pattern(10))
    #expect(listed.news() == [])
    #expect(listed.news(afterSeconds: 9) == [])
    #expect(listed.news(afterSeconds: 1) == ["+ ./", "+ x/"])
    #expect(try listed.paths() == ["a", "x/b", "x/new", "y/c"])
  }

  @Test func `a listing right after the first scan does not check the files again`() throws {
    let listed = try Listed("a", "b")
    #expect(listed.folder.hasJustLooked)
    // The folder has not received the event.
    listed.temporary.write("a", pattern(50))
    #expect(throws: ListingError.changing(path: "a")) {
      _ = try listed.catalogue.makeListing(of: "", leavingOut: [:])
    }
    let same = try listed.catalogue.makeListing(of: "", leavingOut: [:], areSeen: true)
    #expect(same == nil, "it is no news")
    let other = try listed.catalogue.makeListing(of: "", leavingOut: ["b": .unreadable], areSeen: true)
    #expect(try other != nil && listed.paths() == ["a"])
    _ = listed.news(afterSeconds: 10)
    #expect(!listed.folder.hasJustLooked)
  }

  @Test func `a link or an empty folder that comes or goes gives a new listing`() throws {
    let listed = try Listed("a")
    symlink("a", listed.temporary("link"))
    mkdir(listed.temporary("none"), 0o755)
    #expect(listed.news(afterSeconds: 10) == ["+ ./", "+ none/"])
    #expect(try listed.paths() == ["a", "link", "none"])
    unlink(listed.temporary("link"))
    rmdir(listed.temporary("none"))
    #expect(listed.news(afterSeconds: 10) == ["+ ./", "- none"])
    #expect(try listed.paths() == ["a"] && listed.catalogue.listings.newest.map(\.path) == ["./"])
  }

  @Test func `a renamed folder is listed under its new name`() throws {
    let listed = try Listed("x/y/a", "b", rules: ServingRules(folders: .all))
    #expect(rename(listed.temporary("x"), listed.temporary("z")) == 0)
    _ = listed.news(afterSeconds: 10)
    #expect(listed.catalogue.listings.newest.map(\.path) == ["./", "z/", "z/y/"])
    #expect(try listed.paths() == ["b", "z/y/a"])
  }

  @Test func `a changed mode causes no hashing, and the listing has the executable bit`() throws {
    let listed = try Listed("a")
    let (before, hashed) = (try #require(listed.catalogue.listings.newest.first).folderID, listed.hashedBytes)
    chmod(listed.temporary("a"), 0o755)
    #expect(listed.news(afterSeconds: 10) == ["+ ./"])
    #expect(listed.hashedBytes == hashed)
    #expect(listed.catalogue.listings.newest[0].folderID != before)
    chmod(listed.temporary("a"), 0o644)
    #expect(listed.news(afterSeconds: 10) == ["+ ./"])
    #expect(listed.catalogue.listings.newest[0].folderID == before)
    chmod(listed.temporary("a"), 0o600)
    #expect(listed.news(afterSeconds: 10) == [], "only the owner's right to run counts")
  }

  @Test func `a folder is not listed while a file below it changes, and other folders are`() throws {
    let listed = try Listed("x/log", "y/b")
    listed.temporary.write("y/new", pattern(10))
    let file = try File(listed.temporary("x/log"), .write)
    _ = listed.news(afterSeconds: 9)
    for byte in 0..<3 {
      try file.write([UInt8(byte)].span.bytes, at: 0)
      #expect(listed.news(afterSeconds: byte == 0 ? 1 : 0) == (byte == 0 ? ["+ y/"] : []))
    }
    // The first check finds the latest change. The second one finds none.
    #expect(listed.news(afterSeconds: 1) == [])
    #expect(listed.news(afterSeconds: 1) == ["+ ./", "+ x/"])
  }

  @Test func `a file that keeps changing for a minute is left out until it rests`() throws {
    let listed = try Listed("a", "log")
    let file = try File(listed.temporary("log"), .write)
    var news: [String] = []
    for second in 0...65 {
      try file.write([UInt8(second)].span.bytes, at: UInt64(100 + second))
      news += listed.news(afterSeconds: 1)
    }
    #expect(news == ["log keeps changing: the IDs of its folders leave it out until it stops changing", "+ ./"])
    #expect(try listed.paths() == ["a"])
    var rested: [String] = []
    for _ in 0..<25 { rested += listed.news(afterSeconds: 1) }
    #expect(rested == ["+ ./"])
    #expect(try listed.paths() == ["a", "log"])
  }

  @Test func `the last four listings stay, and an old one that is true again becomes the newest`() throws {
    let listed = try Listed("a")
    var folderIDs = listed.catalogue.listings.newest.map(\.folderID)
    for number in 0..<5 {
      listed.temporary.write("n\(number)", pattern(number + 1))
      #expect(listed.news(afterSeconds: 10) == ["+ ./"])
      folderIDs.append(listed.catalogue.listings.newest[0].folderID)
    }
    func offered() -> Set<FileID> {
      Set(listed.catalogue.listings.candidates(bucket: 0).filter { $0.kind == .folder }.map(\.fileID))
    }
    #expect(offered() == Set(folderIDs.suffix(4)))
    unlink(listed.temporary("n4"))
    #expect(listed.news(afterSeconds: 10) == ["+ ./"])
    #expect(listed.catalogue.listings.newest[0].folderID == folderIDs[4])
    #expect(offered() == Set(folderIDs.suffix(4)))
  }

  @Test func `two names of equal text in different bytes are two files or folders`() throws {
    let listed = try Listed("caf\u{E9}", "a", "e\u{301}/x", "\u{E9}/y")
    #expect(listed.catalogue.entries.count == 4)
    listed.temporary.write("cafe\u{301}", pattern(7))
    for _ in 0..<15 { listed.turn(afterSeconds: 1) }
    let paths = try #require(try listed.paths()).map(BytePath.init(_:))
    #expect(paths == ["a", "cafe\u{301}", "caf\u{E9}", "e\u{301}/x", "\u{E9}/y"])
    #expect(try listed.paths("\u{E9}") == ["y"] && listed.paths("e\u{301}") == ["x"])
    unlink(listed.temporary("caf\u{E9}"))
    listed.turn(afterSeconds: 10)
    #expect(try listed.paths()?.count == 4)
    #expect(listed.catalogue.entry(at: "cafe\u{301}")?.length == 7 && listed.catalogue.entry(at: "caf\u{E9}") == nil)
  }

  @Test func `hashes of a removed file stay while a listing names the file`() throws {
    let listed = try Listed("a", "x/b")
    let content = try #require(listed.catalogue.entry(at: "x/b")).content
    unlink(listed.temporary("x/b"))
    listed.turn()
    #expect(listed.catalogue.entry(of: content) == nil && listed.catalogue.hasHashes(of: content))
    for number in 0..<4 {
      listed.temporary.write("x/n\(number)", pattern(number + 1))
      listed.turn(afterSeconds: 10)
      #expect(listed.catalogue.hasHashes(of: content) == (number < 3))
    }
  }
}
