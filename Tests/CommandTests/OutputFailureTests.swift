// A stdout that is full, closed, or no longer read.
import Foundation
import Testing

struct OutputFailureTests {
  private let workbench = Workbench()

  /// Starts the command with its stdout redirected by a shell.
  private func start(_ arguments: [String], _ redirection: String) throws -> Child {
    try workbench.start(arguments, through: ["sh", "-c", #"exec "$@" \#(redirection)"#, "sh"])
  }

  private func expectFailure(_ child: Child, _ redirection: String) throws {
    let why = redirection == ">&-" ? "it is closed" : "no space left on device"
    #expect(try workbench.ended(child).code == 74, "\(child)")
    let line = "p2pnode: cannot write to stdout: \(why); redirect it, and run the same command again"
    #expect(child.stderr.lines.contains(line), "\(child)")
  }

  @Test(arguments: [">/dev/full", ">&-"])
  func `every verb exits with 74 if it cannot write its result`(redirection: String) throws {
    try workbench.makeFile("data.bin", byteCount: 3)
    let all = [
      ["id", "data.bin"], ["id", "--json", "data.bin"], ["link", "data.bin"], ["config"], ["config", "--default"],
      ["whoami"], ["keygen", "new.key", "--json"], ["--help"], ["help", "get"], ["--version"],
      ["--generate-completion-script", "bash"],
    ]
    for arguments in all { try expectFailure(try start(arguments, redirection), redirection) }
  }

  @Test(arguments: [">/dev/full", ">&-"])
  func `ls exits with 74 if it cannot write the listing`(redirection: String) throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 3)
    let served = try workbench.serve(folder)
    let ids = [try #require(served.folderIDs["./"]), try served.fileID("data.bin")]
    for id in ids {
      for option in ["--chunk-timeout=30", "-l", "-0", "--json"] {
        try expectFailure(try start(["ls", id, "--peer", served.address, option], redirection), redirection)
      }
    }
  }

  @Test(arguments: [">/dev/full", ">&-"])
  func `serve and send exit with 74 if they cannot print one line`(redirection: String) throws {
    let path = try workbench.makeFile("data.bin", byteCount: 3)
    for arguments in [["serve", workbench.folder], ["send", path]] {
      for options in [[], ["--json"]] {
        let child = try start(arguments + options + ["--listen", "127.0.0.1:0"], redirection)
        try expectFailure(child, redirection)
      }
    }
  }

  @Test func `serve continues when the reader of its stdout has gone, and reports it once`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 3)
    let serve = try workbench.start(
      ["serve", folder, "--listen", "127.0.0.1:0"], through: ["/bin/bash", "-c", #"exec "$@" > >(exec true)"#, "sh"])
    let address = try workbench.line(of: serve, with: "listening on ").split(separator: " ")[2]
    try workbench.line(of: serve, with: "ready: 1 file,")
    try workbench.makeFile("served/more.bin", byteCount: 4)
    let id = String(try workbench.run("id", "served/more.bin").stdout.text.prefix(64))
    let get = try workbench.run("get", id, "--peer", String(address), "--wait", "30s", "-o", "out")
    #expect(get.code == 0, "\(get)")
    serve.signal(SIGTERM)
    #expect(try workbench.ended(serve).code == 0, "\(serve)")
    let warnings = serve.stderr.lines.filter { $0.contains("cannot write to stdout") }
    #expect(warnings.count == 1 && warnings[0].contains("its reader has closed it"), "\(serve)")
  }

  @Test func `no file gets the descriptor number of a closed stdout`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20)
    let get = try start(["get", fileID, "--peer", served.address, "-o", "out.bin", "--json"], ">&- <&-")
    try expectFailure(get, ">&-")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
