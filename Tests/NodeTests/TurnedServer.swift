// A loop that serves a folder and that the test turns itself: one thread, nothing waits but for bytes that are coming.
import Content
import Glibc
import Posix
import Sodium
import Storage
import TestSupport
import Transfer
import Wire

@testable import PeerNode

/// Serves one file of zeros.
struct TurnedServer {
  let folder = TemporaryFolder()
  let loop: NetworkLoop
  let address: Endpoint
  let entry: CatalogueEntry
  let share: FolderShare

  /// - `linkCount`: names of the file beside its own, as hard links.
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

  /// A peer that has shaken hands.
  /// - `receiveBytes`: of its system's buffer; nil: as the system has it.
  func peer(receiveBytes: Int32? = 8192) throws -> ScriptedPeer {
    let loop = loop
    let socket = try BlockingSocket(dialling: address)
    if let receiveBytes { socket.limitReceiveBuffer(bytes: receiveBytes) }
    return try ScriptedPeer(over: socket, turn: { _ = loop.turn() })
  }
}
