// Long-lived keys in files that only their owner can read.
import Sodium
import Storage
import Wire

extension StaticIdentity {
  /// Reads the key of a node from a file, or makes the file with a new key (mode 0600) if there is none. Blocks for the disk.
  ///
  /// Two nodes that run at a time must not have the same key: peers would take one for the other.
  /// - `file`: in a folder that exists, such as the state folder of the program.
  /// - Throws: why the file cannot be read or made, or holds no key that is secret.
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
  /// Reads the key of a private swarm from a file, which `p2pnode keygen` made. Blocks for the disk.
  public convenience init(file: String) throws(SecretFileError) {
    self.init(try SecretFile.read(file) { SecretKey(copying: $0) })
  }
}
