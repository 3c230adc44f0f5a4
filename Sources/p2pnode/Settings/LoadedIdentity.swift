// The identity of this node: a secret key in a file, locked as long as a process uses it.
import CommandSettings
import Sodium
import Storage
import Wire

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

  /// The identity of the settings, for a verb that fetches. If `serve` uses it, a fresh one, which is said.
  /// - `isNamed`: `--identity` names it, so no other will do.
  static func ofGetter(_ settings: Settings, isNamed: Bool, isQuiet: Bool) throws(Failure) -> LoadedIdentity {
    guard let path = settings.identity else { return ephemeral() }
    do throws(SecretFileError) { return try file(path) } catch {
      guard case .inUse = error, !isNamed else { throw Failure(error) }
      if !isQuiet && settings.logLevel >= .warning {
        Console.log(.warning, "warning: \(error); this command has an identity of its own")
      }
      return ephemeral()
    }
  }

  /// The PeerID of the identity in a file, also while another process uses it.
  /// - `makes`: whether the file is made if it is missing.
  static func peerID(_ path: String, makes: Bool) throws(SecretFileError) -> PeerID {
    func read() throws(SecretFileError) -> PeerID {
      try SecretFile.read(path) { StaticIdentity(secret: SecretKey(copying: $0)).peerID }
    }
    do throws(SecretFileError) { return try read() } catch { guard case .missing = error, makes else { throw error } }
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
