// Prints the plan of a folder for `get --dry-run`, path by path.
import PeerNode
import Storage

/// Prints the plan on stdout. Kept paths are only counted.
final class GetPlan: DownloadObserver {
  func see(_ update: DownloadUpdate) {
    guard case .planned(let plan) = update else { return }
    for item in plan.items where item.change != .kept {
      Console.output("\(item.change.verb) \(item.byteCount) \(Console.escaped(item.path))")
    }
    if let path = plan.outputPath {
      Console.output("Would \(plan.isUpdate ? "update" : "make") the folder: \(Console.escaped(path))")
    }
    for change in FolderPlan.Change.allCases {
      let (count, bytes) = plan.total(change)
      Console.output("Would \(change.verb): \(count) (\(Format.size(bytes)))")
    }
    Console.output("Would copy from this disk: \(Format.size(plan.copiedByteCount))")
    Console.output("Would fetch at most: \(Format.size(plan.fetchedByteCount))")
  }

  func ended(_ result: DownloadResult) {}
  func failed(_ error: DownloadError, _ failure: Failure) {}
}

extension FolderPlan.Change {
  fileprivate var verb: String {
    switch self {
    case .added: "add"
    case .changed: "change"
    case .kept: "keep"
    case .deleted: "delete"
    }
  }

  /// The name of the change for programs.
  fileprivate var word: String {
    switch self {
    case .added: "added"
    case .changed: "changed"
    case .kept: "kept"
    case .deleted: "deleted"
    }
  }
}

extension JSONLine {
  /// Returns the events of a plan.
  static func lines(of plan: FolderPlan) -> [JSONLine] {
    let items = plan.items.map { item in
      var line = JSONLine(event: "plan")
      line.set("change", item.change.word)
      line.set("path", item.path)
      line.set("bytes", item.byteCount)
      return line
    }
    var total = JSONLine(event: "planned")
    for change in FolderPlan.Change.allCases {
      let (count, bytes) = plan.total(change)
      total.set(change.word, count)
      total.set("\(change.word)Bytes", bytes)
    }
    if let path = plan.outputPath { total.set("path", path) }
    total.set("copiedBytes", plan.copiedByteCount)
    total.set("fetchedBytesMax", plan.fetchedByteCount)
    return items + [total]
  }
}
