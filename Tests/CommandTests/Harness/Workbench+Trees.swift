// Writes and reads trees of small files in a workbench.
import Foundation

extension Workbench {
  /// Writes files below a folder of the workbench. The keys are paths.
  func write(_ files: [String: [UInt8]], in folder: String) throws {
    for (path, bytes) in files {
      _ = try makeFolder("\(folder)/\(path)".split(separator: "/").dropLast().joined(separator: "/"))
      _ = try makeFile("\(folder)/\(path)", bytes)
    }
  }

  /// Reads all files below a folder. The keys are paths.
  func files(in folder: String) throws -> [String: [UInt8]] {
    let root = path(folder)
    var found: [String: [UInt8]] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
      let type = try FileManager.default.attributesOfItem(atPath: root + "/" + path)[.type] as? FileAttributeType
      if type != .typeDirectory { found[path] = Array(try Data(contentsOf: URL(fileURLWithPath: root + "/" + path))) }
    }
    return found
  }
}
