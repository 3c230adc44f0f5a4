// Reads long-lived keys from files that only their owner can read.
import Sodium
import Storage
import Wire

extension StaticIdentity {
  /// Reads the key of a node from a file. If the file is missing, makes it with a new key (mode 0600). Blocks for the
  /// disk.
  ///
  /// Two nodes that run at the same time must not have the same key: peers would take one for the other.
  /// - `file`: a path in an existing folder, such as the state folder of the program.
  /// - Throws: why the file cannot be read or made, holds no key, or is readable by others.
  public convenience init(file: String) throws(SecretFileError) {
    do throws(SecretFileError) {
      let secret = SecretKey.random()
      try secret.withBytes { bytes throws(SecretFileError) in
        try SecretFile.create(file, secret: bytes)
      }
    } catch {
      guard case .exists = error else { throw error }
    }
    self.init(secret: try SecretFile.read(file) { SecretKey(copying: $0) })
  }
}

extension SwarmKey {
  /// Reads the key of a private swarm from a file that `p2pnode keygen` made. Blocks for the disk.
  public convenience init(file: String) throws(SecretFileError) {
    let key = try SecretFile.read(file) { SecretKey(copying: $0) }
    do throws(SwarmKeyFault) { try self.init(key) } catch { throw SecretFileError.zero(path: file) }
  }
}
