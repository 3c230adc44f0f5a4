// Roots of whole files, compared with libtorrent, which shares only BEP 52 with this program.
import Foundation
import Testing

@testable import Content

private enum Libtorrent {
  static let python = "/usr/bin/python3"

  static let isInstalled = (try? run(["-c", "import libtorrent"]))?.status == 0

  /// Runs a Python program. Returns its output and its exit status.
  static func run(_ arguments: [String]) throws -> (output: String, status: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (String(decoding: output, as: UTF8.self), process.terminationStatus)
  }
}

@Suite struct LibtorrentTests {
  private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Interop/libtorrent_roots.py").path
  private static let mebi = 1 << 20
  private static let sizes = [
    0, 1, 16383, 16384, 16385, 32767, 32768, 32769, 49153, 500_000, mebi - 1, mebi, mebi + 1, 2 * mebi - 1, 2 * mebi,
    2 * mebi + 16385, 3 * mebi, 4 * mebi + 1, 5 * mebi - 17, 7 * mebi + 777,
  ]

  @Test(.enabled(if: Libtorrent.isInstalled, "needs libtorrent (Debian: python3-libtorrent)"))
  func `libtorrent computes the same root for every file`() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("p2pnode-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var expected: [String] = []
    var paths: [String] = []
    for size in Self.sizes {
      let bytes = someBytes(size, seed: UInt64(size))
      let path = folder.appendingPathComponent("\(size)").path
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let root = try hash(bytes, piece: 100_000).file.root
      expected.append("\(size == 0 ? "-" : root.hex)  \(path)")
      paths.append(path)
    }
    let (output, status) = try Libtorrent.run([Self.script] + paths)
    #expect(status == 0)
    #expect(output.split(separator: "\n").map(String.init) == expected)
  }
}
