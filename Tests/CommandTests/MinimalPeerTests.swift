// The command against the specification's minimal fetcher and minimal server, which share no code with it.
import Foundation
import Testing

enum MinimalPeer {
  static let script = Binary.packageRoot + "/Protocol/vectors/minimal.py"

  /// Whether Python has the module that the script needs.
  static let isThere: Bool = {
    let workbench = Workbench()
    guard let child = try? workbench.start("python3", ["-c", "import cryptography"]) else { return false }
    return (try? workbench.ended(child))?.code == 0
  }()
}

@Suite(.enabled(if: MinimalPeer.isThere, "needs python3 with the package cryptography"))
struct MinimalPeerTests {
  private let workbench = Workbench()

  private func start(_ arguments: String...) throws -> Child {
    try workbench.start("python3", ["-B", MinimalPeer.script] + arguments)
  }

  @Test(arguments: [0, 13, 1_048_576, 3_145_733])
  func `the minimal fetcher of the specification fetches from serve`(byteCount: Int) throws {
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: byteCount)
    let served = try workbench.listen(folder, [])
    try workbench.line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    let port = try #require(served.address.split(separator: ":").last)
    let fetched = try workbench.ended(try start("fetch", "127.0.0.1", String(port), try served.fileID("data.bin")))
    #expect(fetched.code == 0, "\(fetched.stderr.text)")
    let isSame = fetched.stdout.bytes == Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(isSame)
  }

  @Test(arguments: [13, 3_145_733])
  func `get fetches from the minimal server of the specification`(byteCount: Int) throws {
    let path = try workbench.makeFile("data.bin", byteCount: byteCount)
    // The server writes its port to a FIFO, so that the test waits by reading.
    let portFile = workbench.path("port")
    guard mkfifo(portFile, 0o600) == 0 else { throw Unexpected("mkfifo failed") }
    let server = try start("serve", path, portFile)
    let words = try workbench.ended(try workbench.start("cat", [portFile])).stdout.lines
    try #require(words.count == 2)
    let get = try workbench.run("get", words[1], "--peer", "127.0.0.1:\(words[0])", "-o", "out.bin")
    try workbench.ended(server)
    #expect(get.code == 0 && server.code == 0, "\(get) \(server)")
    let files = try [path, workbench.path("out.bin")].map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    #expect(files[0] == files[1])
  }
}
