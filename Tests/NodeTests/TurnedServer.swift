// A loop that serves a folder. The test runs its turns on one thread, so it waits only for bytes in transit.
import Content
import Glibc
import Posix
import Sodium
import Storage
import TestSupport
import Transfer
import Wire

@testable import PeerNode

/// A server of one file of zeros.
struct TurnedServer {
  let folder = TemporaryFolder()
  let loop: NetworkLoop
  let address: Endpoint
  let entry: CatalogueEntry
  let share: FolderShare

  /// - `linkCount`: the number of further names of the file, as hard links.
  init(fileLength: Int, linkCount: Int = 0, uploadLimit: UInt64? = nil) throws {
    let state = TemporaryFolder()
    folder.makeZeros("zeros", byteCount: fileLength)
    for i in 0..<linkCount { link(folder("zeros"), folder("zeros-\(i)")) }
    let served = try ServedFolder(folder.path)
    let catalogue = try Catalogue(folder: served, stateFolder: state.path) { FileKey($0, swarm: nil).bucket }
    catalogue.load(try FolderScan(served).files, threads: 1) { _ in }
    entry = catalogue.entries[0]
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 1
    configuration.uploadLimit = uploadLimit
    let context = try NodeContext(configuration) { _ in }
    share = FolderShare(catalogue, context)
    share.isScanning = false
    context.add(share)
    loop = try NetworkLoop(context: context, index: 0)
    let socket = try Socket.listening(on: .loopback(0))
    address = try socket.localAddress()
    try loop.listen(on: socket)
  }

  /// Makes a peer with a complete handshake.
  /// - `receiveBytes`: the size of its kernel's receive buffer. Nil: the default.
  func peer(receiveBytes: Int32? = 8192) throws -> ScriptedPeer {
    let loop = loop
    let socket = try BlockingSocket(dialling: address)
    if let receiveBytes { socket.limitReceiveBuffer(bytes: receiveBytes) }
    return try ScriptedPeer(over: socket, turn: { _ = loop.turn() })
  }
}
