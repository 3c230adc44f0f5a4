// `parts` lists what interrupted downloads have left, prints how to resume them, and removes them on request.
import Foundation
import Testing

@Suite struct PartsTests {
  private let workbench = Workbench()

  /// Starts a download that stops after two of eight chunks.
  private func interrupt(_ output: String, signal: Int32 = SIGINT) throws -> (fileID: String, served: String) {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", output])
    try workbench.line(of: get, with: "Chunk 2/8")
    get.signal(signal)
    try workbench.ended(get)
    slow.child.signal(SIGTERM)
    return (fileID, path)
  }

  @Test func `parts lists a part with the command that resumes it`() throws {
    _ = try workbench.makeFolder("outputs")
    let (fileID, path) = try interrupt("outputs/it's here.bin")
    let list = try workbench.run("parts")
    #expect(list.code == 0, "\(list)")
    let lines = list.stdout.lines
    #expect(
      lines.count == 2 && lines[0].hasPrefix("it's here.bin (./outputs/.\(fileID.prefix(16)).p2p-part): "), "\(list)")
    #expect(lines[0].hasSuffix("s ago") && lines[0].contains("% verified, last written "), "\(list)")
    #expect(list.stderr.text.contains("--clean"), "\(list)")

    let fast = try workbench.serve(workbench.path("served"))
    let command = lines[1].trimmingCharacters(in: .whitespaces).dropFirst("p2pnode".count)
    let script = "exec '\(try Binary.path())'\(command) --peer \(fast.address) --listen 127.0.0.1:0"
    var environment = ProcessInfo.processInfo.environment
    (environment["P2PNODE_HOME"], environment["P2PNODE_LAN"]) = (workbench.path("home-of-shell"), "off")
    let resumed = try workbench.ended(try workbench.start("sh", ["-ec", script], environment: environment))
    #expect(resumed.code == 0 && resumed.stderr.text.contains("Resumed: "), "\(resumed)")
    #expect(TestFile.areEqual(path, workbench.path("outputs/it's here.bin")))
    let none = try workbench.run("parts", "outputs")
    #expect(none.code == 0 && none.stdout.bytes.isEmpty, "\(none)")
    #expect(none.stderr.lines == ["There are no unfinished downloads here."])
  }

  @Test func `parts lists a part of a folder with the folder's ID, and removes all of it`() throws {
    _ = try workbench.makeFolder("served/tree/sub")
    for i in 0..<8 { try workbench.makeFile("served/tree/sub/\(i)", byteCount: 1 << 20, seed: UInt64(i)) }
    let slow = try workbench.serve(workbench.path("served"), "--upload-limit", "2Mi")
    let id = try #require(slow.folderIDs["tree/"])
    let get = try workbench.start(["get", id, "--peer", slow.address, "-o", "copy"])
    try workbench.line(of: get, with: "Chunk 2/8")
    get.signal(SIGINT)
    try workbench.ended(get)
    let list = try workbench.run("parts", ".", "--json")
    let part = try #require(try JSONLines.objects(list.stdout).first)
    #expect(part["folderID"] as? String == id && part["output"] as? String == "./copy", "\(list)")
    #expect(part["running"] as? Bool == false && part["removed"] as? Bool == false && part["name"] as? String == "copy")
    #expect((part["bytes"] as? Int).map { $0 >= 1 << 20 } == true, "\(list)")
    let clean = try workbench.run("parts", "--clean")
    #expect(clean.code == 0 && clean.stdout.lines.first?.hasPrefix("removed copy (") == true, "\(clean)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: workbench.folder).allSatisfy { !$0.contains("p2p-") })
  }

  @Test func `parts names the last chosen output, also after a kill`() throws {
    _ = try workbench.makeFolder("served/tree/sub")
    for i in 0..<8 { try workbench.makeFile("served/tree/sub/\(i)", byteCount: 1 << 20, seed: UInt64(i)) }
    let slow = try workbench.serve(workbench.path("served"), "--upload-limit", "2Mi")
    let id = try #require(slow.folderIDs["tree/"])
    for output in ["first", "-f\n6'\\"] {
      let get = try workbench.start(["get", id, "--peer", slow.address, "-o=./\(output)"])
      try workbench.line(of: get, with: "Chunk ")
      get.signal(SIGKILL)
      try workbench.ended(get)
      let json = try workbench.run("parts", "--json")
      #expect(try JSONLines.objects(json.stdout).map { $0["output"] as? String } == ["./\(output)"], "\(json)")
    }
    let list = try workbench.run("parts")
    #expect(list.stderr.text.contains("--swarm-key"), "\(list)")
    let command = try #require(list.stdout.lines.last).trimmingCharacters(in: .whitespaces)
    #expect(command == #"p2pnode get \#(id) -o $'./-f\0126\'\\'"#, "\(list)")
    let words = try workbench.ended(try workbench.start("/bin/bash", ["-c", "set -- \(command); printf %s \"$5\""]))
    #expect(words.stdout.text == "./-f\n6'\\", "\(words)")
  }

  @Test func `parts shows how much of a part was verified`() throws {
    let (slow, fileID, _) = try workbench.serveFile(byteCount: 80 << 20, "--upload-limit", "8Mi")
    let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", "out.bin"])
    try workbench.line(of: get, with: "Chunk 2/80")
    get.signal(SIGINT)
    try workbench.ended(get)
    let list = try workbench.run("parts")
    #expect(list.stdout.lines.first?.contains(#/, [0-9.]+% verified, last written /#) == true, "\(list)")
    let part = try #require(try JSONLines.objects(try workbench.run("parts", "--json").stdout).first)
    #expect(part["totalBytes"] as? Int == 80 << 20, "\(part)")
    #expect((part["verifiedBytes"] as? Int).map { $0 >= 2 << 20 && $0 < 80 << 20 } == true, "\(part)")
  }

  @Test func `a running download keeps its part`() throws {
    let (slow, fileID, path) = try workbench.serveFile(byteCount: 8 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start(["get", fileID, "--peer", slow.address, "-o", "out.bin"])
    try workbench.line(of: get, with: "Chunk 2/8")
    let clean = try workbench.run("parts", "--clean")
    #expect(clean.code == 0 && clean.stdout.lines.first?.contains("in use by a running download") == true, "\(clean)")
    #expect(clean.stderr.text.contains("1 of 1 remain"), "\(clean)")
    try workbench.ended(get)
    #expect(get.code == 0 && TestFile.areEqual(path, workbench.path("out.bin")), "\(get)")
  }

  @Test func `parts lists and removes only files that a download made`() throws {
    let digits = "0123456789abcdef"
    _ = try workbench.makeFile("data.bin", [1])
    let others = [
      ".\(digits).p2p-part.bak", ".\(digits.dropLast()).p2p-part", ".\(digits.uppercased()).p2p-part",
      "\(digits).p2p-part",
      ".p2p-part",
    ]
    for name in others { _ = try workbench.makeFile(name, [2]) }
    let link = workbench.path(".\(digits).p2p-part")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: workbench.path("data.bin"))
    let shared = ".fedcba9876543210.p2p-part"
    try FileManager.default.linkItem(atPath: workbench.path("data.bin"), toPath: workbench.path(shared))
    let open = try workbench.makeFolder(".00000000000000ff.p2p-part")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: open)
    let clean = try workbench.run("parts", "--clean")
    #expect(clean.code == 0 && clean.stdout.bytes.isEmpty, "\(clean)")
    let names = try FileManager.default.contentsOfDirectory(atPath: workbench.folder)
    #expect(
      Set(names).isSuperset(of: others + ["data.bin", shared, ".\(digits).p2p-part", ".00000000000000ff.p2p-part"]))
  }

  @Test func `parts lists a part without a full ID by its first digits`() throws {
    _ = try workbench.makeFile(".00000000000000aa.p2p-part", [1, 2], mode: 0o600)
    _ = try workbench.makeFile(".00000000000000bb.p2p-journal", [1, 2], mode: 0o600)
    let list = try workbench.run("parts")
    #expect(list.code == 0 && list.stdout.text.contains("it begins with 00000000000000aa"), "\(list)")
    #expect(list.stdout.text.contains("it begins with 00000000000000bb"), "\(list)")
    let clean = try workbench.run("parts", "--clean", "--json")
    #expect(try JSONLines.objects(clean.stdout).count { $0["removed"] as? Bool == true } == 2, "\(clean)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: workbench.folder).allSatisfy { !$0.contains("p2p-") })
  }

  @Test func `parts exits with 66 if the folder is missing`() throws {
    let list = try workbench.run("parts", "nowhere")
    #expect(list.code == 66 && list.stderr.text.contains("nowhere"), "\(list)")
  }
}
