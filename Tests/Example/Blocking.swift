// Calls that block, in async code. The compiler complains about each line that ends with "blocks", and about no other:
// `.ci/example` checks that. No program has this file.
import P2P

func hash(_ path: String) async throws {
  _ = try fileID(of: path)  // blocks
}

func resolve(_ host: HostPort) async throws {
  _ = try host.resolve()  // blocks
}

func serve(_ folder: String, at address: Endpoint) async throws {
  _ = try Server(NodeConfiguration(), folder: folder, listen: address, stateFolder: folder)  // blocks
}

func report(_ folder: String, at address: Endpoint, to log: @escaping @Sendable (NodeEvent) -> Void) async throws {
  let configuration = NodeConfiguration()
  _ = try Server(configuration, folder: folder, listen: address, stateFolder: folder, onEvent: log)  // blocks
}

func scan(_ server: Server) async throws {
  try server.scan { _ in }  // blocks
}

func shutDown(_ server: Server) async {
  server.shutDown(grace: .zero)  // blocks
}

func share(_ node: Node, _ folder: String) async throws {
  _ = try node.share(folder, stateFolder: folder)  // blocks
}

func shutDown(_ node: Node) async {
  node.shutDown(grace: .zero)  // blocks
}

func scan(_ share: FolderShare) async throws {
  try share.scan { _ in }  // blocks
}

func scanUntil(_ share: FolderShare) async throws {
  try share.scan(shouldStop: { true }) { _ in }  // blocks
}

func remove(_ share: FolderShare) async {
  share.remove()  // blocks
}

func fetch(_ downloader: Downloader, _ fileID: FileID, _ target: DownloadTarget) async throws {
  _ = try downloader.downloadFile(fileID, from: [], to: target)  // blocks
}

func watch(_ downloader: Downloader, _ fileID: FileID, _ target: DownloadTarget) async throws {
  _ = try downloader.downloadFile(fileID, from: [], to: target, onUpdate: { _ in })  // blocks
}

/// The same in code that may block.
func all(_ node: Node, _ server: Server, _ share: FolderShare, _ path: String, _ host: HostPort) throws {
  _ = try (fileID(of: path), host.resolve())
  try server.scan { _ in }
  try share.scan { _ in }
  _ = try node.share(path, stateFolder: path)
  share.remove()
  node.shutDown(grace: .zero)
}
