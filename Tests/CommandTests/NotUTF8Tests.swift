// Arguments and variables with bytes that are not UTF-8.
import Foundation
import Testing

struct NotUTF8Tests {
  private let workbench = Workbench()

  /// Runs a bash script that calls the command as "$0".
  private func run(_ script: String) throws -> Child {
    var environment = ProcessInfo.processInfo.environment
    (environment["P2PNODE_HOME"], environment["P2PNODE_LAN"]) = (workbench.path("home-of-shell"), "off")
    return try workbench.ended(
      try workbench.start("/bin/bash", ["-c", script, try Binary.path()], environment: environment))
  }

  @Test(arguments: [
    #"id $'x\xE9'"#, #"verify $1 $'x\xE9'"#, #"link $'x\xE9'"#, #"send $'x\xE9'"#, #"serve $'x\xE9'"#,
    #"parts $'x\xE9'"#,
    #"get --force -o $'x\xE9' $1"#, #"get --input-file=$'x\xE9'"#, #"keygen $'x\xE9'"#,
  ])
  func `an argument that is not UTF-8 exits with 64 and names no other file`(command: String) throws {
    let other = try workbench.makeFile("x\u{FFFD}", [1, 2, 3])
    let child = try run(#"set -- \#(String(repeating: "ab", count: 32)); "$0" \#(command)"#)
    #expect(child.code == 64 && child.stdout.bytes.isEmpty, "\(child)")
    #expect(child.stderr.lines.count == 1 && child.stderr.text.contains(#"x\xE9' is not UTF-8; "#), "\(child)")
    #expect(FileManager.default.contents(atPath: other) == Data([1, 2, 3]))
    let json = try run(#"set -- \#(String(repeating: "ab", count: 32)); "$0" \#(command) --json"#)
    #expect(try JSONLines.objects(json.stdout).map { $0["code"] as? Int } == [64], "\(json)")
  }

  @Test func `a variable or a current folder that is not UTF-8 exits with 64`() throws {
    try workbench.makeFile("data.bin", byteCount: 3)
    for name in ["HOME", "XDG_STATE_HOME", "P2PNODE_ZONE", "P2PNODE_HOME"] {
      let child = try run(#"\#(name)=$'/x\xE9' "$0" id data.bin"#)
      #expect(child.code == 64 && child.stderr.text.contains(#"\#(name)='/x\xE9' is not UTF-8"#), "\(child)")
    }
    #expect(try run(#"OTHER=$'x\xE9' "$0" id data.bin"#).code == 0)
    let folder = try run(#"mkdir $'x\xE9' && cd $'x\xE9' && exec "$0" id ../data.bin"#)
    #expect(folder.code == 64 && folder.stderr.text.contains(#"x\xE9' is not UTF-8"#), "\(folder)")
    let link = try run(#"ln -s $'x\xE9' link && exec "$0" send link"#)
    #expect(link.code == 66 && link.stderr.text.contains("link: "), "\(link)")
  }
}
