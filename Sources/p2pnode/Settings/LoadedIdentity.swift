// The identity of this node: a secret key in a file that stays locked while the process uses it.
import CommandSettings
import Posix
import Sodium
import Storage
import Wire

/// A node's identity. Its file stays locked while this value lives.
struct LoadedIdentity: ~Copyable {
  let identity: StaticIdentity
  private let lock: LockedSecretFile?
  /// The lock that keeps another `send` from using the same identity.
  private let sendLock: File?

  /// Makes a fresh identity that is not written to the disk.
  static func ephemeral() -> LoadedIdentity {
    LoadedIdentity(identity: StaticIdentity(secret: SecretKey.random()), lock: nil)
  }

  /// Loads the identity in a file and locks the file. Makes the file if it is missing.
  static func file(_ path: String) throws(SecretFileError) -> LoadedIdentity {
    do throws(SecretFileError) {
      return try locked(path)
    } catch {
      guard case .missing = error else { throw error }
    }
    try make(path)
    return try locked(path)
  }

  /// Loads the identity of the settings for a verb that fetches. If another process uses it, makes a fresh one and
  /// prints a warning.
  /// - `isNamed`: whether `--identity` names it. Then a fresh one is an error.
  static func ofGetter(_ settings: Settings, isNamed: Bool, isQuiet: Bool) throws(Failure) -> LoadedIdentity {
    guard let path = settings.identity else { return ephemeral() }
    do throws(SecretFileError) { return try file(path) } catch {
      guard case .inUse = error, !isNamed else { throw Failure(error) }
      if !isQuiet && settings.logLevel >= .warning {
        Console.log(.warning, "warning: \(error); this command uses a temporary identity")
      }
      return ephemeral()
    }
  }

  /// Loads the identity of the settings for `send`. Without one, derives an identity from the user's own key and the
  /// sent paths. So the same `send` prints the same line again, and peers cannot tell that two different sends belong
  /// to one user.
  /// - `sent`: the absolute paths.
  static func ofSender(
    _ settings: Settings, isNamed: Bool, isQuiet: Bool, of sent: [String]
  ) throws(Failure) -> LoadedIdentity {
    guard settings.identity == nil else { return try ofGetter(settings, isNamed: isNamed, isQuiet: isQuiet) }
    let reason: String
    do throws(Failure) {
      let path = try makePlaceOfUser()
      do throws(SecretFileError) {
        if let derived = try derived(from: path, for: sent) { return derived }
        reason = "another 'p2pnode send' of the same paths runs, so this one has a PeerID of its own"
      } catch {
        reason = "\(error)"
      }
    } catch {
      reason = error.message
    }
    if !isQuiet && settings.logLevel >= .warning {
      Console.log(.warning, "warning: \(reason); the command that this send prints works only until it ends")
    }
    return ephemeral()
  }

  /// Derives a secret: HMAC-SHA256 of the sorted paths, with the secret in the file as key. Makes the file if it is
  /// missing. Nil if another process uses the derived secret: a peer would take the two nodes for one.
  private static func derived(from path: String, for sent: [String]) throws(SecretFileError) -> LoadedIdentity? {
    _ = try peerID(path, makes: true)
    let secret = try SecretFile.read(path) { bytes in
      var code = HMACSHA256(key: bytes)
      for part in ["p2pnode send"] + sent.sorted() { code.update(Array(part.utf8 + [0]).span.bytes) }
      return code.finishSecret()
    }
    let identity = StaticIdentity(secret: secret)
    // Without a lock the line is still good.
    guard let file = try? sendLockFile() else { return LoadedIdentity(identity: identity, lock: nil) }
    if (try? file.tryLock(byteAt: place(of: identity.peerID))) == false { return nil }
    return LoadedIdentity(identity: identity, lock: nil, sendLock: file)
  }

  /// One file for all: each PeerID has a byte of it.
  private static func sendLockFile() throws -> File {
    let state = try StateFolders.ofUser().state
    try StateFolders.make(state)
    let folder = try Directory(state)
    do throws(Errno) { return try folder.open("send.lock", [.readWrite, .createExclusive], mode: 0o600) } catch {
      guard error.code == Errno.exists else { throw error }
      return try folder.open("send.lock", [.readWrite, .noFollow])
    }
  }

  /// The first bits of the PeerID, as an offset.
  private static func place(of peer: PeerID) -> UInt64 {
    peer.digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } >> 2
  }

  /// Returns the PeerID of the identity in a file, even while another process uses it.
  /// - `makes`: whether to make the file if it is missing.
  static func peerID(_ path: String, makes: Bool) throws(SecretFileError) -> PeerID {
    func read() throws(SecretFileError) -> PeerID {
      try SecretFile.read(path) { StaticIdentity(secret: SecretKey(copying: $0)).peerID }
    }
    do throws(SecretFileError) { return try read() } catch { guard case .missing = error, makes else { throw error } }
    try make(path)
    return try read()
  }

  /// Returns the path of the identity file that `serve` uses by default. Makes its folder.
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
      guard case .exists = error else { throw error }  // another process made it first
    }
  }

  private static func locked(_ path: String) throws(SecretFileError) -> LoadedIdentity {
    let lock = try SecretFile.lock(path)
    let identity = try lock.read { StaticIdentity(secret: SecretKey(copying: $0)) }
    return LoadedIdentity(identity: identity, lock: lock)
  }

  private init(
    identity: StaticIdentity, lock: consuming LockedSecretFile?, sendLock: consuming File? = nil
  ) {
    self.identity = identity
    self.lock = lock
    self.sendLock = sendLock
  }
}
