// The options that both roles share: who we are, which swarm, which cipher.
import ArgumentParser
import Node
import Posix
import Sodium
import Storage
import Wire

enum Cipher: String, ExpressibleByArgument, CaseIterable {
  /// AES-256-GCM where this machine has the instructions, else ChaCha20-Poly1305.
  case auto
  case aes
  case chacha
}

struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file of this node's secret key (32 bytes, mode 0600); made if missing.", valueName: "FILE"))
  var identity: String?

  @Option(
    help: ArgumentHelp(
      "The file of a private swarm's key, as made by 'p2pnode keygen'; all its nodes need it.", valueName: "FILE"))
  var swarmKey: String?

  @Option(help: ArgumentHelp("auto, aes or chacha.", valueName: "CIPHER"))
  var cipher = Cipher.auto

  @Flag(help: "Neither look for peers, nor be found, on this machine and its local networks.")
  var noLan = false

  /// Where to look for peers and be found: nowhere with --no-lan; not by multicast where P2PNODE_LAN is "off".
  var discovery: DiscoverySettings? {
    guard !noLan else { return nil }
    return DiscoverySettings(
      multicast: Environment.variable("P2PNODE_LAN") != "off", localNodesFolder: try? StateFolders.ofUser().runtime)
  }

  func suites() throws(Failure) -> [CipherSuite] {
    let available = CipherSuite.available
    switch cipher {
    case .auto: return available
    case .chacha: return [.chaChaPoly]
    case .aes:
      guard available.contains(.aesGCM) else {
        throw Failure(Exit.usage, "--cipher aes: this machine has no AES instructions; leave the option out")
      }
      return [.aesGCM, .chaChaPoly]
    }
  }

  func loadSwarmKey() throws(Failure) -> SwarmKey? {
    guard let swarmKey else { return nil }
    do throws(SecretFileError) {
      return try SecretFile.read(swarmKey) { SwarmKey(SecretKey(copying: $0)) }
    } catch {
      throw Failure(error)
    }
  }
}

/// A node's identity, and the lock on its file for as long as this lives.
struct LoadedIdentity: ~Copyable {
  let identity: StaticIdentity
  private let lock: LockedSecretFile?

  /// A fresh identity that is written nowhere.
  static func ephemeral() -> LoadedIdentity {
    LoadedIdentity(identity: StaticIdentity(secret: SecretKey.random()), lock: nil)
  }

  /// The identity in a file, which is made if it is missing, and locked.
  static func file(_ path: String) throws(SecretFileError) -> LoadedIdentity {
    do throws(SecretFileError) {
      return try locked(path)
    } catch {
      guard case .missing = error else { throw error }
    }
    try make(path)
    return try locked(path)
  }

  /// Who the identity in a file is, also while another process uses it; made if it is missing.
  static func peerID(_ path: String) throws(SecretFileError) -> PeerID {
    func read() throws(SecretFileError) -> PeerID {
      try SecretFile.read(path) { StaticIdentity(secret: SecretKey(copying: $0)).peerID }
    }
    do throws(SecretFileError) { return try read() } catch { guard case .missing = error else { throw error } }
    try make(path)
    return try read()
  }

  /// The file of the identity that `serve` has by itself; makes the folder for it.
  static func makePlaceOfUser() throws(Failure) -> String {
    do throws(StateFoldersError) {
      let folders = try StateFolders.ofUser()
      try StateFolders.make(folders.config)
      return folders.identityFile
    } catch {
      throw Failure(error)
    }
  }

  private static func make(_ path: String) throws(SecretFileError) {
    do throws(SecretFileError) {
      let secret = SecretKey.random()
      try secret.withBytes { bytes throws(SecretFileError) in try SecretFile.create(path, secret: bytes) }
    } catch {
      guard case .exists = error else { throw error }  // another process was faster
    }
  }

  private static func locked(_ path: String) throws(SecretFileError) -> LoadedIdentity {
    let lock = try SecretFile.lock(path)
    let identity = try lock.read { StaticIdentity(secret: SecretKey(copying: $0)) }
    return LoadedIdentity(identity: identity, lock: lock)
  }

  private init(identity: StaticIdentity, lock: consuming LockedSecretFile?) {
    self.identity = identity
    self.lock = lock
  }
}
