// The folder in which the nodes of one user on one machine announce themselves, so that they find one another at once.
// A node's file is locked while the node lives. A file without a lock belongs to a dead node, and is removed.
import Posix
import Sodium
import Storage
import Wire

/// A node on this machine, as its own file describes it.
struct LocalNode: Hashable, Sendable {
  let peer: PeerID
  let addresses: [Endpoint]
}

/// Why a node cannot announce itself in the folder.
enum LocalNodesError: Error, CustomStringConvertible {
  /// Other users can access the folder, or own it.
  case unsafeFolder(String)
  case state(StateFoldersError)
  case io(Errno)

  var description: String {
    switch self {
    case .unsafeFolder(let path): "\(path): must be a folder of your own with mode 0700"
    case .state(let error): error.description
    case .io(let errno): errno.description
    }
  }
}

/// The format of a node's file, in lines: `p2pnode-node 1`, `peer HEX`, and `address IP PORT`, once or more.
enum LocalNodes {
  private static let firstLine = "p2pnode-node 1"
  /// The most files that are read. The folder holds one per process.
  static let filesMax = 256
  /// The most bytes of a file.
  static let fileBytesMax = 512
  static let addressesMax = 4

  static func encode(_ node: LocalNode) -> [UInt8] {
    let lines = [firstLine, "peer \(node.peer.hex)"] + node.addresses.map { "address \($0.host) \($0.port)" }
    return Array(lines.map { $0 + "\n" }.joined().utf8)
  }

  /// Returns the node, or nil if the bytes do not follow the format exactly.
  static func decode(_ bytes: [UInt8]) -> LocalNode? {
    guard bytes.count <= fileBytesMax, let text = String(validating: bytes, as: UTF8.self) else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard (4...3 + addressesMax).contains(lines.count), lines[0] == firstLine, lines[lines.count - 1].isEmpty,
      lines[1].hasPrefix("peer "), let peer = PeerID(hex: lines[1].dropFirst(5))
    else { return nil }
    var addresses: [Endpoint] = []
    for line in lines[2..<lines.count - 1] {
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0] == "address", let port = UInt16(parts[2]), port != 0,
        let address = Endpoint(numericHost: parts[1], port: port), !address.isMulticast
      else { return nil }
      addresses.append(address)
    }
    return LocalNode(peer: peer, addresses: addresses)
  }

  /// Returns the addresses at which other processes of this machine reach a listener.
  static func addresses(of listener: Endpoint) -> [Endpoint] {
    // `::` accepts IPv4 as well, and one address per node means one connection.
    listener.isAny || listener.isAnyIPv4 ? [Endpoint(ipv4: (127, 0, 0, 1), port: listener.port)] : [listener]
  }

  /// Returns the live nodes, and removes the files of dead ones. Empty if the folder is missing or other users can
  /// access it.
  static func nodes(in path: String) -> [LocalNode] {
    guard let folder = try? Directory(path), (try? isOursAlone(folder)) == true, let entries = try? folder.entries()
    else { return [] }
    var nodes: [LocalNode] = []
    for entry in entries.prefix(filesMax) {
      guard let name = entry.text, isName(name), let node = try? node(name, in: folder) else { continue }
      nodes.append(node)
    }
    return nodes
  }

  private static func node(_ name: String, in folder: borrowing Directory) throws(Errno) -> LocalNode? {
    let file = try folder.open(name, [.read, .noFollow, .nonBlocking])
    let status = try file.status()
    guard status.kind == .regular, status.owner == Environment.userID, status.size <= UInt64(fileBytesMax) else {
      return nil
    }
    var bytes = [UInt8](repeating: 0, count: fileBytesMax + 1)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    let count = try file.read(at: 0, into: &raw)
    guard let node = decode(Array(bytes[..<count])) else { return nil }
    guard try file.tryLock() else { return node }
    // The name was random, so no other node's file can have taken it meanwhile.
    try folder.remove(name)
    return nil
  }

  /// Announces a node for as long as the returned object lives. Removes the files of dead nodes first.
  static func announce(_ node: LocalNode, in path: String) throws(LocalNodesError) -> LocalNodeFile {
    do throws(StateFoldersError) { try StateFolders.make(path) } catch { throw .state(error) }
    _ = nodes(in: path)
    let file: LocalNodeFile?
    do throws(Errno) {
      let folder = try Directory(path)
      file = try isOursAlone(folder) ? try LocalNodeFile(node, in: folder) : nil
    } catch {
      throw .io(error)
    }
    guard let file else { throw .unsafeFolder(path) }
    return file
  }

  fileprivate static func isOursAlone(_ folder: borrowing Directory) throws(Errno) -> Bool {
    let status = try folder.status()
    return status.owner == Environment.userID && status.mode & 0o077 == 0
  }

  /// Returns whether a name is 32 hexadecimal digits and `.node`. Other files are never touched.
  private static func isName(_ name: String) -> Bool {
    name.utf8.count == 37 && name.hasSuffix(".node")
      && name.utf8.prefix(32).allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
  }

  fileprivate static func newName() -> String {
    func hex(_ number: UInt64) -> String {
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return hex(Random.uint64()) + hex(Random.uint64()) + ".node"
  }
}

/// A node's own file. It is written and locked before it gets its final name, and removed with this object.
final class LocalNodeFile: Sendable {
  private let folder: Directory
  private let name: String
  private let file: File

  fileprivate init(_ node: LocalNode, in folder: consuming Directory) throws(Errno) {
    let name = LocalNodes.newName()
    let unfinished = "." + name
    let file = try folder.open(unfinished, [.readWrite, .createExclusive], mode: 0o600)
    do throws(Errno) {
      try file.write(LocalNodes.encode(node).span.bytes, at: 0)
      _ = try file.tryLock()  // no other node opens a name that starts with a dot
      try folder.rename(unfinished, to: name)
    } catch {
      try? folder.remove(unfinished)
      throw error
    }
    self.folder = folder
    self.name = name
    self.file = file
  }

  deinit { try? folder.remove(name) }
}
