// `--json` prints one object with an event per line, with the content of the plain lines.
import Foundation
import Testing

enum JSONLines {
  /// Returns the objects, one for each line. Throws if a line is not an object.
  static func objects(_ output: Output) throws -> [[String: Any]] {
    try output.text.split(separator: "\n").map { line in
      guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        throw Unexpected("no JSON object: \(line)")
      }
      return object
    }
  }
}

struct JSONTests {
  private let workbench = Workbench()

  private func events(_ objects: [[String: Any]]) -> [String] { objects.map { $0["event"] as? String ?? "none" } }

  @Test func `get --json prints events from start to done`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: (3 << 20) + 5)
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin", "--json")
    #expect(get.code == 0, "\(get)")
    let objects = try JSONLines.objects(get.stdout)
    let events = events(objects)
    #expect(events.filter { $0 == "chunk" }.count == 4, "\(get)")
    #expect(
      Set(events).isSubset(of: ["listening", "searched", "peer", "start", "workers", "chunk", "progress", "done"]),
      "\(get)")
    for object in objects {
      let time = try #require(object["time"] as? String)
      #expect(time.wholeMatch(of: #/20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z/#) != nil, "\(time)")
    }
    let start = try #require(objects.first { $0["event"] as? String == "start" })
    #expect(start["totalChunks"] as? Int == 4)
    #expect(start["peers"] as? Int == 1)
    #expect(start["name"] as? String == "out.bin")
    for chunk in objects where chunk["event"] as? String == "chunk" {
      #expect(chunk["peer"] as? String == served.peerID)
      #expect((0..<4).contains(chunk["chunk"] as? Int ?? -1))
    }
    let done = try #require(objects.last)
    #expect(done["event"] as? String == "done")
    #expect(done["bytes"] as? Int == (3 << 20) + 5)
    #expect(done["downloadedChunks"] as? Int == 4)
    #expect((done["peers"] as? [[String: Any]])?.first?["chunks"] as? Int == 4)
    let output = try #require(done["path"] as? String)
    #expect(
      TestFile.areEqual(path, URL(fileURLWithPath: output, relativeTo: URL(fileURLWithPath: workbench.folder)).path))
  }

  @Test func `get --json prints why it failed`() throws {
    let served = try workbench.serveFile(byteCount: 1).served
    let get = try workbench.run("get", String(repeating: "0", count: 64), "--peer", served.address, "--json", "--quiet")
    #expect(get.code == 69, "\(get)")
    let last = try #require(try JSONLines.objects(get.stdout).last)
    #expect(last["event"] as? String == "failed")
    #expect(last["reason"] as? String == "notFound")
    #expect(get.stderr.lines.count == 1, "\(get)")
  }

  @Test func `serve --json prints its address, its files and its peers`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/one", byteCount: 1)
    try workbench.makeFile("served/two", byteCount: 2)
    let served = try workbench.serve(folder, "--json")
    let first = try JSONLines.objects(served.child.stdout)
    #expect(events(first) == ["listening", "file", "file", "folder", "ready"])
    #expect(first.first?["address"] as? String == served.address)
    #expect(first.first?["peer"] as? String == served.peerID)
    #expect(first.last?["files"] as? Int == 2)
    #expect(first.last?["bytes"] as? Int == 3)
    let file = try #require(first.first { $0["path"] as? String == "two" })
    #expect(file["bytes"] as? Int == 2)
    let get = try workbench.run("get", try #require(file["fileID"] as? String), "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    try workbench.line(of: served.child, on: .stdout, with: #""disconnected""#)
    let later = try JSONLines.objects(served.child.stdout).dropFirst(first.count)
    #expect(events(Array(later)) == ["connected", "opened", "uploaded", "disconnected"])
  }
}
