// Reads and makes files that hold a secret of 32 bytes. Only the owner may read them, or for a file of root also its
// group. The bytes are lent for one call and wiped after it.
import Posix

/// Why a secret could not be read, made or locked.
public enum SecretFileError: Error, Hashable, Sendable, CustomStringConvertible {
  case missing(path: String)
  /// The file exists already. It is never overwritten.
  case exists(path: String)
  case wrongSize(path: String, byteCount: UInt64)
  /// All bytes are 0. That is no secret, and as a swarm key it would be the same as none.
  case zero(path: String)
  /// The group or others may access the file.
  /// - `isOfRoot`: root owns it, so its group may read it.
  case open(path: String, mode: UInt32, isOfRoot: Bool)
  case foreign(path: String)
  case notRegular(path: String)
  /// Another process holds the lock.
  case inUse(path: String)
  /// The file cannot be made in this place.
  case cannotMake(Errno)
  case io(Errno)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): no such secret file"
    case .exists(let path): "\(path): exists already and is not overwritten; move it away first, or name another file"
    case .wrongSize(let path, let count):
      "\(path): holds \(count) bytes; a secret file holds exactly \(SecretFile.byteCount)"
    case .zero(let path): "\(path): contains only zero bytes, so it is not a secret"
    case .open(let path, let mode, false):
      "\(path): other users can read it (mode 0\(String(mode, radix: 8))); make it private with: chmod 600"
    case .open(let path, let mode, true):
      "\(path): other users can read it or its group can write it (mode 0\(String(mode, radix: 8))); chmod 600, or 440 for a "
        + "group that reads it (in Kubernetes: defaultMode: 0440 of the Secret, and fsGroup)"
    case .foreign(let path): "\(path): belongs to another user"
    case .notRegular(let path): "\(path): is not a regular file"
    case .inUse(let path): "\(path): another process is using it"
    case .cannotMake(let errno): "cannot make the key: \(errno)"
    case .io(let errno): errno.description
    }
  }
}

/// Reads and makes files that hold one 32-byte secret: an identity's key or a swarm's key.
public enum SecretFile {
  /// 32, the length of a key in bytes.
  public static let byteCount = 32

  /// The permission bits that a user's secret must not have.
  private static let denied: UInt32 = 0o077
  /// The same for a secret of root. Its group may read it, because root chose that group: Kubernetes mounts a Secret in
  /// this way (defaultMode 0440 and fsGroup), and stat shows the access list of a systemd credential in this way.
  private static let deniedOfRoot: UInt32 = 0o037

  /// Lends the secret to `body`, which may copy the bytes only to memory that it wipes itself.
  public static func read<R: ~Copyable>(_ path: String, _ body: (RawSpan) -> R) throws(SecretFileError) -> R {
    try read(try open(path), body)
  }

  /// Opens a secret and locks it while the result lives. Two processes with one identity would take each other's
  /// connections.
  public static func lock(_ path: String) throws(SecretFileError) -> LockedSecretFile {
    let file = try open(path)
    let isLocked = try attempt({ () throws(Errno) in try file.tryLock() }, orThrow: SecretFileError.io)
    guard isLocked else { throw .inUse(path: path) }
    return LockedSecretFile(file: file)
  }

  /// Makes a secret file, mode 0600. When it returns, the file survives a power cut. The name never shows a partial
  /// file.
  public static func create(_ path: String, secret: RawSpan) throws(SecretFileError) {
    precondition(secret.byteCount == byteCount, "a secret is 32 bytes")
    let parts = PathParts(path)
    do throws(Errno) {
      let folder = try Directory(parts.folder)
      let unfinished = ".\(parts.name).\(Environment.processID).new"
      let file = try folder.open(unfinished, [.readWrite, .createExclusive], mode: 0o600)
      do throws(Errno) {
        try file.setMode(0o600)
        try file.write(secret, at: 0)
        try file.sync()
        try folder.place(unfinished, as: parts.name)
      } catch {
        try? folder.remove(unfinished)
        throw error
      }
      try folder.sync()
    } catch {
      throw error.code == Errno.exists ? .exists(path: path) : .cannotMake(error)
    }
  }

  private static func open(_ path: String) throws(SecretFileError) -> File {
    let file = try attempt({ () throws(Errno) in try File(path, [.read, .nonBlocking]) }) { errno in
      errno.code == Errno.noEntry ? SecretFileError.missing(path: path) : .io(errno)
    }
    let status = try attempt({ () throws(Errno) in try file.status() }, orThrow: SecretFileError.io)
    let user = Environment.userID
    guard status.kind == .regular else { throw .notRegular(path: path) }
    guard status.owner == user || status.owner == 0 || user == 0 else { throw .foreign(path: path) }
    let isOfRoot = status.owner == 0
    guard status.mode & (isOfRoot ? deniedOfRoot : denied) == 0 else {
      throw .open(path: path, mode: status.mode, isOfRoot: isOfRoot)
    }
    guard status.size == UInt64(byteCount) else { throw .wrongSize(path: path, byteCount: status.size) }
    return file
  }

  fileprivate static func read<R: ~Copyable>(
    _ file: borrowing File, _ body: (RawSpan) -> R
  ) throws(SecretFileError) -> R {
    var secret: [32 of UInt8] = .init(repeating: 0)
    defer {
      var span = secret.mutableSpan
      var bytes = span.mutableBytes
      wipe(&bytes)
    }
    let count: Int
    do throws(Errno) {
      var span = secret.mutableSpan
      var bytes = span.mutableBytes
      count = try file.read(at: 0, into: &bytes)
    } catch {
      throw .io(error)
    }
    guard count == byteCount else { throw .wrongSize(path: file.path, byteCount: UInt64(count)) }
    guard secret.indices.contains(where: { secret[$0] != 0 }) else { throw .zero(path: file.path) }
    return body(secret.span.bytes)
  }
}

/// A secret file that no other process can lock while this value lives.
public struct LockedSecretFile: ~Copyable, Sendable {
  fileprivate let file: File

  /// Lends the secret to `body`, as `SecretFile.read` does.
  public func read<R: ~Copyable>(_ body: (RawSpan) -> R) throws(SecretFileError) -> R {
    try SecretFile.read(file, body)
  }
}
