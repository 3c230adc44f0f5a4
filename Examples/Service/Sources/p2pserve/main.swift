// Serves a folder until SIGTERM, and logs to stderr. README.md shows this program.
//
//   p2pserve FOLDER STATE PORT
import Foundation
import Logging
import P2P
import P2PService
import ServiceLifecycle

let arguments = CommandLine.arguments
let logger = Logger(label: "files")
guard arguments.count == 4, let port = UInt16(arguments[3]) else {
  logger.error("usage: p2pserve FOLDER STATE PORT")
  exit(64)
}
do {
  // The same PeerID at each start.
  let identity = try StaticIdentity(file: arguments[2] + "/.identity")
  let node = try Node(NodeConfiguration(identity: identity), listen: .any(port: port))
  let folder = NodeService.Folder(arguments[1], stateFolder: arguments[2])
  let service = NodeService(node, folders: [folder], logger: logger)
  let group = ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
  try await group.run()
} catch {
  logger.error("\(error)")
  exit(1)
}
