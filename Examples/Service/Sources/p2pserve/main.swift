// Serves a folder until it gets SIGTERM, with lines of a log on stderr. README.md shows this program.
//
//   p2pserve FOLDER STATE PORT
import Logging
import P2P
import P2PService
import ServiceLifecycle

let arguments = CommandLine.arguments
let logger = Logger(label: "files")
let node = try Node(NodeConfiguration(), listen: .any(port: UInt16(arguments[3]) ?? 9800))
let folder = NodeService.Folder(arguments[1], stateFolder: arguments[2])
let service = NodeService(node, folders: [folder], logger: logger)
let group = ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
