// The OPENs of a peer that this node has not answered yet. Their number is bounded.
import Wire

/// OPENs that are looked up, that wait for files to be hashed, or that named no file and are answered slowly.
struct UnansweredOpens: Sendable {
  /// How many `lookUp` actions have no answer yet.
  var lookUpCount = 0
  /// OPENs that came while files were still being hashed.
  var waiting: [Open] = []
  /// OPENs that named no file here.
  var missed = MissedOpens()

  var count: Int { lookUpCount + waiting.count + missed.waitingCount }

  /// Removes and returns the OPENs to look up again, because more files are served than before.
  mutating func takeWaiting() -> [Open] {
    defer { waiting = [] }
    return waiting
  }

  /// Drops the waiting OPENs, because the connection ends. Answers to look-ups may still come.
  mutating func end() { (waiting, missed) = ([], MissedOpens()) }
}
