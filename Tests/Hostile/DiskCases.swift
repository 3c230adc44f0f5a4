// What a source can do to the disk and the file names of a downloader.
import Content
import Glibc
import Posix
import TestSupport
import Wire

extension Case {
  static let disks: [Case] = [
    Case("get disk: a length above the free space", "such a length is refused at once, and nothing is written") {
      bench in
      try bench.claim(chunkCount: 1 << 20, isRefused: true)
    },
    Case("get disk: 1 GiB claimed, nothing delivered", "space is reserved at most 64 MiB ahead of what came") { bench in
      try bench.claim(chunkCount: 1_024, isRefused: false)
    },
    Case("get name: --force and a suggested name", "a suggested name replaces nothing: exit 73, and the file stays") {
      bench in
      let (get, folder) = try bench.getNamed("victim.txt", ["--force"], existing: "victim.txt")
      var outcome = Outcome()
      outcome.expect(get.code == 73, "exit \(get.code ?? -99) in place of 73")
      outcome.expect(text(of: folder + "/victim.txt") == "precious", "the file is replaced")
      outcome.expect(get.err.contains("-o"), "the message does not name -o")
      return outcome
    },
    Case("get name: a suggested name that is an option", "a suggested name does not start with '-'") { bench in
      let (get, folder) = try bench.getNamed("-rf", [], existing: "other.txt")
      var outcome = Outcome()
      outcome.expect(get.code == 0, "exit \(get.code ?? -99): \(get.lastWords)")
      let names = namesOf(folder)
      outcome.expect(!names.contains { $0.hasPrefix("-") }, "it made \(names)")
      return outcome
    },
  ]
}

/// Returns the names in a folder. Empty if it is not a folder.
func namesOf(_ folder: String) -> [String] {
  guard let stream = opendir(folder) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    names.append(
      withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      })
  }
  return names.filter { $0 != "." && $0 != ".." }
}

extension Bench {
  /// Returns a source that claims a length and delivers nothing.
  fileprivate func claim(chunkCount: Int, isRefused: Bool) throws -> Outcome {
    let file = HostileFile(chunkCount: chunkCount)
    let liar = try HostileSource(at: address(10), file, Manner("a claim") { $0.onRequest = { _, _ in } })
    atEnd { liar.stop() }
    let place = makeFolder("copies")
    let get = try start(
      ["get", file.fileID.hex, "-o", "\(place)/copy", "--json", "--listen", "\(host(2)):0", "--peer", liar.peer])
    var outcome = Outcome()
    var most = 0
    let deadline = Clock.seconds + (isRefused ? 10 : 4)
    while Clock.seconds < deadline, !get.look() {
      most = max(most, bytesUsed(in: place))
      pause(milliseconds: 20)
    }
    outcome.took = (get.endedAt ?? Clock.seconds) - get.began
    outcome.note = "\(most >> 20) MiB reserved"
    if isRefused {
      outcome.expect(get.code != nil && get.code != 0, get.code == nil ? "it still runs" : "exit 0")
      outcome.expect(most <= 1 << 20, "it reserves \(most >> 20) MiB")
    } else {
      outcome.expect(get.code == nil, "exit \(get.code ?? 0): \(get.lastWords)")
      outcome.expect(most <= 80 << 20, "it reserves \(most >> 20) MiB")
    }
    return outcome
  }

  private func bytesUsed(in folder: String) -> Int {
    namesOf(folder).reduce(0) { sum, name in
      var raw = stat()
      return lstat("\(folder)/\(name)", &raw) == 0 ? sum + Int(raw.st_blocks) * 512 : sum
    }
  }

  /// Downloads a file from a source that suggests a name, into a folder that already has a file.
  fileprivate func getNamed(_ name: String, _ options: [String], existing: String) throws -> (Child, String) {
    let file = HostileFile(chunkCount: 1)
    let source = try HostileSource(
      at: address(10), file, Manner("a name") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, name: name) } })
    atEnd { source.stop() }
    let place = makeFolder("copies")
    folder.write("copies/\(existing)", Array("precious".utf8))
    let get = try start(
      ["get", file.fileID.hex, "--json", "--listen", "\(host(2)):0", "--peer", source.peer] + options, in: place)
    _ = get.wait(within: 20)
    return (get, place)
  }
}
