// The OPENs of a peer that this node has not answered yet: their number is bounded.
import Wire

/// OPENs that are looked up, that wait for files to be hashed, or that named no file and are answered slowly.
struct UnansweredOpens: Sendable {
  /// Those whose `lookUp` has no answer yet.
  var lookUpCount = 0
  /// Asked for while files were still being hashed.
  var waiting: [Open] = []
  /// Those that named no file here.
  var missed = MissedOpens()

  var count: Int { lookUpCount + waiting.count + missed.waitingCount }

  /// More files are served than before: these OPENs are looked up again.
  mutating func takeWaiting() -> [Open] {
    defer { waiting = [] }
    return waiting
  }

  /// The connection ends. Answers to look-ups may still come.
  mutating func end() { (waiting, missed) = ([], MissedOpens()) }
}
