// Each error of the command ends with what the user can do.
import Content
import PeerNode
import Posix
import Storage
import Testing

@testable import Transfer
@testable import p2pnode

struct FailureTests {
  private static let errno = Errno(code: 5, call: "read", subject: "disk.img")
  private static let denied = Errno(code: 13, call: "open", subject: "disk.img")
  private static let address = Endpoint(ipv4: (127, 0, 0, 1), port: 9800)

  /// Every initialiser of `Failure`, case by case.
  private static let failures: [Failure] =
    ([
      .missing(path: "k"), .exists(path: "k"), .wrongSize(path: "k", byteCount: 3), .zero(path: "k"),
      .open(path: "k", mode: 0o644, isOfRoot: false),
      .foreign(path: "k"), .notRegular(path: "k"), .inUse(path: "k"), .io(errno), .io(denied),
    ] as [SecretFileError]).map(Failure.init)
    + ([.noHome, .cannotMake(errno)] as [StateFoldersError]).map(Failure.init)
    + ([
      .cannotCreate(errno), .exists(path: "o"), .running(path: "o"), .foreign(path: "o", what: "a folder"),
      .diskFull(path: "o", byteCount: 0), .diskFull(path: "o", byteCount: 9), .io(errno),
    ] as [PartFileError]).map(Failure.init)
    + ([.folder(errno), .listen(errno), .state(.io(errno)), .system(errno)] as [ServerError]).map {
      Failure($0, listen: address)
    }
    + [Failure(errno, listen: address), Failure(Exit.badData, Failure.wrongLink(says: 1, has: 2))]

  /// Failures of downloads, with and without a part file that is kept.
  private static func downloads() throws -> [Failure] {
    let log = GetLog(json: nil, explains: nil, quiet: false, verbose: false)
    let fileID = FileID(hex: String(repeating: "ab", count: 32))!
    let stop = try StopSignal()
    let ends: [DownloadFailure] = [
      .cancelled, .unreachable([]), .notFound([]), .notAdmitted([]), .everyPeerLied([]), .noPeers([]),
      .outOfRetries(ChunkIndex(0)), .pageOutOfRetries(PageIndex(0)), .storage,
    ]
    return ends.flatMap { end in
      [nil, "disk.img.part"].map { part in
        log.failure(
          .failed(end, DownloadStats(start: .zero, end: .zero), part: part), stop: stop, fileID: fileID,
          target: DownloadTarget(folder: "."))
      }
    } + [
      log.failure(
        .storage(.exists(path: "disk.img")), stop: stop, fileID: fileID,
        target: DownloadTarget(folder: ".", replaces: true))
    ]
  }

  /// The words with which the last clause of an error begins.
  private static let deeds = [
    "ask ", "check ", "choose ", "copy ", "create ", "free ", "give ", "look ", "make ", "move ", "name ", "remove ",
    "run ", "set ",
    "try ",
    "use ", "wait ", "when ", "nothing is kept: run ",
  ]

  @Test func `every error ends with advice on what to do`() throws {
    for failure in FailureTests.failures + (try FailureTests.downloads()) {
      let clauses = failure.message.split(separator: #/[;:)] (?=[a-z])/#).map(String.init)
      #expect(
        clauses.contains { clause in FailureTests.deeds.contains { clause.hasPrefix($0) } }, "\(failure.message)")
    }
  }
}
