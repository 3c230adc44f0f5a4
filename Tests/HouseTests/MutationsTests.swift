// The deliberate defects in `scripts/mutations` match the current code.
import Foundation
import Testing

@Suite struct MutationsTests {
  @Test func `each text that a mutation replaces occurs exactly once`() throws {
    let (status, output) = try check()
    #expect(status == 0, "\(output)")
    #expect(output.hasSuffix("0 do not match\n"))
  }

  /// Runs `scripts/mutations` so that it only checks its texts. Returns its status and its output.
  private func check() throws -> (status: Int32, output: String) {
    let script = Process()
    script.executableURL = Repository.root.appendingPathComponent("scripts/mutations")
    script.environment = ProcessInfo.processInfo.environment.merging(["CHECK": "1", "ONLY": ""]) { $1 }
    let output = Pipe()
    script.standardOutput = output
    script.standardError = output
    try script.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    script.waitUntilExit()
    return (script.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
