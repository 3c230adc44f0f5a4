// Finds the command: it is in the build folder, beside the program that runs the tests.
import Foundation

enum Binary {
  static func path() throws -> String {
    let runner = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let folders = [runner, CommandLine.arguments[0]].map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
    for folder in folders {
      let path = folder + "/p2pnode"
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    throw Unexpected("no p2pnode in \(folders): build it first")
  }

  /// The root of the package, found from the path of this file.
  static let packageRoot: String = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.path
  }()
}
