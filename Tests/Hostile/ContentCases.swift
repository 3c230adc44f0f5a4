// How a server handles its files, its log and its settings while strangers have the files open.
import Content
import Glibc
import Posix
import SQLite
import TestSupport
import Wire

extension Case {
  static let contents: [Case] = [
    Case("serve: PAGE answers and --upload-limit", "pages count as upload") { try $0.pagesUnderLimit() },
    Case("serve: a file changed through a mapping", "a file of which bad data was sent is withdrawn") {
      try $0.changedThroughMapping()
    },
    Case("serve: 30,000 links to one file that is written", "withdrawing needs no stack") { try $0.linksThatChange() },
    Case("serve: 30,000 equal files that are removed", "removing them takes a few seconds at most", isAlone: true) {
      try $0.equalFilesRemoved()
    },
    Case("serve: ulimit -n 64", "the default of --max-connections follows from the descriptor limit") {
      try $0.fewDescriptors()
    },
    Case("serve: nobody reads its log", "a reader that stalls does not stop the server") {
      try $0.stalledLog(["--verbose"])
    },
    Case("serve: nobody reads its --json", "a reader that stalls does not stop the server") {
      try $0.stalledLog(["--json", "--verbose"])
    },
    Case("serve: a row of the catalogue with the number 2^63-1", "a database that is damaged does not end the server") {
      try $0.damagedCatalogue()
    },
    Case("serve: /metrics and its Host", "a page of the web cannot read /metrics under another name") {
      try $0.metricsOfAnotherHost()
    },
  ]
}

extension Bench {
  fileprivate func pagesUnderLimit() throws -> Outcome {
    let size = Size.many
    let serving = try serve(size.sample.folder, ["--upload-limit", "100K"])
    let socket = try BlockingSocket(dialling: serving.address, from: address(100))
    let peer = try ScriptedPeer(over: socket)
    guard case .opened = try peer.open(size.sample.file.fileID) else { throw Missing("no OPENED") }
    // At most 32 requests are unanswered; 64 are allowed.
    let gets = (0..<32).flatMap { _ in Message.pageGet(PageGet(handle: ScriptedPeer.handle, page: 0)).frame }
    let began = Clock.seconds
    var (pages, asked) = (0, 0)
    while Clock.seconds < began + 4 {
      if asked == pages {
        try peer.send(frames: gets)
        asked += 32
      }
      do {
        if case .page = try peer.receive().message { pages += 1 }
      } catch SocketEnd.timedOut { break }
    }
    let rate = Double(pages * 64 * 32) / (Clock.seconds - began)
    var outcome = Outcome()
    outcome.note = "\(decimal(rate / 1e6, 2)) MB/s of pages"
    // The limit allows a burst of 256 KiB in addition.
    outcome.expect(rate <= 200_000, "\(decimal(rate / 1e6, 2)) MB/s under --upload-limit 100K")
    return outcome
  }

  fileprivate func changedThroughMapping() throws -> Outcome {
    let file = HostileFile(chunkCount: 4)
    let folder = makeFolder("served")
    try file.write(in: folder)
    let serving = try serve(folder)
    let path = "\(folder)/\(HostileFile.name)"
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    defer { close(descriptor) }
    guard let mapping = mmap(nil, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapping != MAP_FAILED
    else { throw Missing("cannot map \(path)") }
    defer { munmap(mapping, 4 << 20) }
    mapping.storeBytes(of: ~mapping.load(as: UInt64.self), as: UInt64.self)

    var outcome = Outcome()
    let watcher = try ScriptedPeer(over: BlockingSocket(dialling: serving.address, from: address(101)))
    guard case .opened = try watcher.open(file.fileID) else { throw Missing("no OPENED") }
    let peer = try ScriptedPeer(over: BlockingSocket(dialling: serving.address, from: address(100)))
    guard case .opened = try peer.open(file.fileID) else { throw Missing("no OPENED") }
    try peer.send(peer.requestMessage(0, count: 64))
    var bytes: [UInt8] = []
    while bytes.count < 1 << 20 {
      let (message, leaves) = try peer.receive()
      bytes += leaves
      if case .withdrawn = message {
        outcome.note = "the file system tells of the change"
        return outcome
      }
      if case .busy = message { try peer.send(peer.requestMessage(0, count: 64)) }
    }
    outcome.expect(bytes != file.part(ChunkIndex(0)).bytes, "the change is not seen, so the case shows nothing")
    try peer.send(.goodbye(Goodbye(code: .badData)))
    do {
      guard case .withdrawn = try watcher.receive().message else { throw Missing("no WITHDRAWN") }
    } catch { outcome.expect(false, "the file is still offered") }
    return outcome
  }

  /// Serves a small file under `count` names.
  private func serveLinks(_ count: Int) throws -> (serving: Serving, folder: String) {
    let place = makeFolder("served")
    folder.write("served/0", Sample.small.bytes)
    for i in 1..<count { link("\(place)/0", "\(place)/\(i)") }
    return (try serve(place), place)
  }

  fileprivate func linksThatChange() throws -> Outcome {
    let (serving, folder) = try serveLinks(30_000)
    let peer = try ScriptedPeer(over: BlockingSocket(dialling: serving.address, from: address(100)))
    guard case .opened = try peer.open(Sample.small.fileID) else { throw Missing("no OPENED") }
    let descriptor = open("\(folder)/0", O_WRONLY | O_CLOEXEC)
    var outcome = Outcome()
    outcome.expect(pwrite(descriptor, [9], 1, 5) == 1, "cannot write")
    close(descriptor)
    // Repeats the request until the file is withdrawn: each answer finds one more changed name, or all of them.
    let began = Clock.seconds
    var isTold = false
    try peer.send(peer.requestMessage(0))
    while !isTold, Clock.seconds < began + 60, !serving.child.look() {
      do {
        switch try peer.receive().message {
        case .withdrawn: isTold = true
        case .data(let header) where header.isLast: try peer.send(peer.requestMessage(0))
        default: break
        }
      } catch SocketEnd.timedOut {
        continue
      } catch { break }
    }
    (outcome.took, outcome.allowed) = (Clock.seconds - began, 10)
    outcome.expect(!serving.child.look(), "serve ended with \(serving.child.code ?? 0)")
    outcome.expect(isTold && Clock.seconds - began <= 10, "it takes \(decimal(Clock.seconds - began, 1)) s")
    return outcome
  }

  fileprivate func equalFilesRemoved() throws -> Outcome {
    let count = 30_000
    let (serving, folder) = try serveLinks(count)
    let peer = try ScriptedPeer(over: BlockingSocket(dialling: serving.address, from: address(100)))
    guard case .opened = try peer.open(Sample.small.fileID) else { throw Missing("no OPENED") }
    let began = Clock.seconds
    for i in 0..<count { unlink("\(folder)/\(i)") }
    let unlinked = Clock.seconds
    var outcome = Outcome()
    var isTold = false
    while !isTold, Clock.seconds < unlinked + 60 {
      do {
        if case .withdrawn = try peer.receive().message { isTold = true }
      } catch SocketEnd.timedOut { continue }
    }
    (outcome.took, outcome.allowed) = (Clock.seconds - began, 6)
    outcome.expect(isTold && Clock.seconds - unlinked <= 6, "it takes \(decimal(Clock.seconds - unlinked, 1)) s")
    return outcome
  }

  fileprivate func fewDescriptors() throws -> Outcome {
    let size = Size.many
    let serving = try serve(size.sample.folder, through: ["sh", "-c", #"ulimit -n 64 && exec "$0" "$@""#])
    let holders = (0..<100).map { i in
      try? ScriptedPeer(over: BlockingSocket(dialling: serving.address, from: address(UInt8(100 + i))))
    }
    let (seconds, isRight, ending) = try download(size.sample.file, from: [serving.peer], within: 30)
    var outcome = Outcome()
    (outcome.took, outcome.allowed) = (seconds, 5)
    outcome.expect(seconds <= 5, "a newcomer waits \(decimal(seconds, 1)) s")
    outcome.note = "\(holders.filter { $0 != nil }.count) holders"
    outcome.expect(isRight, ending)
    return outcome
  }

  fileprivate func stalledLog(_ options: [String]) throws -> Outcome {
    let size = Size.many
    let serving = try serve(size.sample.folder, options, pipes: true)
    for i in 0..<1_500 {
      let socket = try BlockingSocket(dialling: serving.address, from: address(UInt8(100 + i % 100)))
      guard let peer = try? ScriptedPeer(over: socket) else { break }
      try peer.send(peer.openMessage(size.sample.file.fileID))
    }
    let (seconds, isRight, ending) = try download(size.sample.file, from: [serving.peer], within: 20)
    var outcome = Outcome()
    outcome.took = seconds
    outcome.expect(isRight, ending)
    outcome.measured(memory: serving.grownBytes)
    return outcome
  }

  fileprivate func metricsOfAnotherHost() throws -> Outcome {
    let port = UInt16(20_000 + Int(getpid()) % 10_000)
    _ = try serve(Size.one.sample.folder, ["--metrics", "127.0.0.1:\(port)"])
    func ask(_ host: String) throws -> String {
      let socket = try BlockingSocket(dialling: .loopback(port))
      try socket.send(Array("GET /metrics HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8))
      return String(decoding: try socket.receiveToEnd().prefix(12), as: UTF8.self)
    }
    var outcome = Outcome()
    let (own, named, foreign) = (
      try ask("127.0.0.1:\(port)"), try ask("localhost:\(port)"), try ask("attacker.example:\(port)")
    )
    outcome.expect(own.hasSuffix(" 200") && named.hasSuffix(" 200"), "its own name is refused: \(own), \(named)")
    outcome.expect(foreign.contains(" 4"), "another host's name is answered '\(foreign)'")
    return outcome
  }

  fileprivate func damagedCatalogue() throws -> Outcome {
    let folder = makeFolder("served")
    try HostileFile(chunkCount: 4).write(in: folder)
    let first = try serve(folder, home: "home")
    first.child.signal(SIGTERM)
    guard first.child.wait(within: 10) == 0 else { throw Missing("serve does not stop") }
    guard let path = found(".sqlite", below: self.folder("home")) else { throw Missing("no database") }
    do {
      let database = try Database(path, busyTimeoutMilliseconds: 1_000)
      try database.run("UPDATE file SET number = 9223372036854775807")
    } catch { throw Missing("\(path): \(error)") }
    var outcome = Outcome()
    do { _ = try serve(folder, home: "home") } catch { outcome.broken.append("\(error)") }
    return outcome
  }

  /// Finds a file whose name has the given end, in a folder or below it.
  private func found(_ end: String, below folder: String) -> String? {
    for name in namesOf(folder) {
      let path = "\(folder)/\(name)"
      if name.hasSuffix(end) { return path }
      if let found = found(end, below: path) { return found }
    }
    return nil
  }
}
