// Secret files and the folders that contain them.
import Glibc
import Posix
import Storage
import Testing
import TestSupport

@Suite struct `A secret file` {
  let temporary = TemporaryFolder()

  private func read(_ name: String) throws -> [UInt8] {
    try SecretFile.read(temporary(name)) { secret in secret.withUnsafeBytes { Array($0) } }
  }

  @Test func `a created secret is read back, has mode 0600, and leaves no other file`() throws {
    let secret = pattern(32)
    try SecretFile.create(temporary("key"), secret: secret.span.bytes)
    #expect(try read("key") == secret)
    #expect(temporary.mode("key") == 0o600)
    #expect(temporary.names == ["key"])
  }

  @Test func `an existing secret is never overwritten`() throws {
    try SecretFile.create(temporary("key"), secret: pattern(32).span.bytes)
    #expect(throws: SecretFileError.exists(path: temporary("key"))) {
      try SecretFile.create(temporary("key"), secret: pattern(32, seed: 2).span.bytes)
    }
    #expect(try read("key") == pattern(32))
    #expect(temporary.names == ["key"])
  }

  @Test(arguments: [0, 31, 33, 64, 65]) func `a secret of another size is refused`(count: Int) throws {
    temporary.write("key", pattern(count), mode: 0o600)
    #expect(throws: SecretFileError.wrongSize(path: temporary("key"), byteCount: UInt64(count))) { try read("key") }
  }

  @Test func `a file of zero bytes is no secret`() throws {
    temporary.write("key", Array(repeating: 0, count: 32), mode: 0o600)
    #expect(throws: SecretFileError.zero(path: temporary("key"))) { try read("key") }
    temporary.write("other", Array(repeating: 0, count: 31) + [1], mode: 0o600)
    #expect(try read("other").last == 1)
  }

  @Test(arguments: [0o640, 0o604, 0o620, 0o610, 0o666] as [UInt32])
  func `a secret that others may access is refused, and the error gives the remedy`(mode: UInt32) throws {
    temporary.write("key", pattern(32), mode: mode)
    if geteuid() == 0 { chown(temporary("key"), 9800, 9800) }
    let error = #expect(throws: SecretFileError.open(path: temporary("key"), mode: mode, isOfRoot: false)) {
      try read("key")
    }
    #expect(error?.description.contains("chmod 600") == true)
  }

  @Test(.enabled(if: geteuid() == 0, "only root makes files of root"), arguments: [0o400, 0o440, 0o640] as [UInt32])
  func `a secret that root owns may be readable by its group, as a Secret of Kubernetes is`(mode: UInt32) throws {
    temporary.write("key", pattern(32), mode: mode)
    chown(temporary("key"), 0, 9800)
    #expect(try read("key") == pattern(32))
    _ = try SecretFile.lock(temporary("key"))
  }

  @Test(
    .enabled(if: geteuid() == 0, "only root makes files of root"), arguments: [0o444, 0o460, 0o450, 0o644] as [UInt32])
  func `a secret of root that others read or its group writes is refused with the remedy`(mode: UInt32) throws {
    temporary.write("key", pattern(32), mode: mode)
    let error = #expect(throws: SecretFileError.open(path: temporary("key"), mode: mode, isOfRoot: true)) {
      try read("key")
    }
    #expect(error?.description.contains("chmod 600, or 440") == true)
  }

  /// Gives a file an access list with an entry for one user, as systemd's LoadCredential does. False: there are no such
  /// lists here.
  private func setAccessList(_ name: String, user: UInt32, rights: UInt16, mask: UInt16) -> Bool {
    // As linux/posix_acl_xattr.h has it: a version, then entries of a tag, rights and an ID.
    let script = """
      import os, struct, sys
      user, rights, mask = map(int, sys.argv[2:])
      entries = [(1, 4, -1), (2, rights, user), (4, 0, -1), (16, mask, -1), (32, 0, -1)]
      value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
      os.setxattr(sys.argv[1], "system.posix_acl_access", value)
      """
    let arguments = ["-c", script, temporary(name), "\(user)", "\(rights)", "\(mask)"]
    return (try? ChildProcess("python3", arguments, variables: [:]))?.wait() == .exited(0)
  }

  /// Whether the file system of temporary files has access lists.
  static let hasAccessLists: Bool = {
    let tests = `A secret file`()
    tests.temporary.write("probe", [1], mode: 0o600)
    return tests.setAccessList("probe", user: 9_800, rights: 4, mask: 4)
  }()

  @Test(
    .enabled(if: geteuid() == 0, "only root makes files of root"),
    .enabled(if: `A secret file`.hasAccessLists, "the file system has no access lists"),
    arguments: [(4, 4, true), (4, 0, true), (6, 6, false), (5, 5, false)] as [(UInt16, UInt16, Bool)])
  func `a file of root may be readable through an access list, as a credential of systemd is, and no more than that`(
    rights: UInt16, mask: UInt16, isAccepted: Bool
  ) throws {
    temporary.write("key", pattern(32), mode: 0o400)
    #expect(setAccessList("key", user: 9_800, rights: rights, mask: mask))
    #expect(temporary.mode("key") == 0o400 | UInt32(mask) << 3)
    if isAccepted {
      #expect(try read("key") == pattern(32))
    } else {
      #expect(throws: SecretFileError.self) { try read("key") }
    }
    // A user's own file may be read by nobody else.
    chown(temporary("key"), 9_801, 9_801)
    if mask == 0 {
      #expect(try read("key") == pattern(32))
    } else {
      #expect(throws: SecretFileError.open(path: temporary("key"), mode: 0o400 | UInt32(mask) << 3, isOfRoot: false)) {
        try read("key")
      }
    }
  }

  @Test func `what is missing or no file is refused, and a FIFO does not make anyone wait`() throws {
    #expect(throws: SecretFileError.missing(path: temporary("none"))) { try read("none") }
    mkfifo(temporary("fifo"), 0o600)
    #expect(throws: SecretFileError.notRegular(path: temporary("fifo"))) { try read("fifo") }
    mkdir(temporary("folder"), 0o700)
    #expect(throws: SecretFileError.notRegular(path: temporary("folder"))) { try read("folder") }
  }

  @Test func `a read-only secret is accepted`() throws {
    temporary.write("key", pattern(32), mode: 0o400)
    #expect(try read("key") == pattern(32))
  }

  @Test func `one process at a time holds an identity`() throws {
    try SecretFile.create(temporary("identity"), secret: pattern(32).span.bytes)
    do {
      let first = try SecretFile.lock(temporary("identity"))
      #expect(throws: SecretFileError.inUse(path: temporary("identity"))) {
        _ = try SecretFile.lock(temporary("identity"))
      }
      #expect(try first.read { $0.byteCount } == 32)
    }
    _ = try SecretFile.lock(temporary("identity"))
  }

  @Test func `a secret is not created if its folder is missing`() throws {
    let error = #expect(throws: SecretFileError.self) {
      try SecretFile.create(temporary("none/key"), secret: pattern(32).span.bytes)
    }
    #expect(error == .cannotMake(Errno(code: ENOENT, call: "open", subject: temporary("none"))))
  }
}

@Suite struct `The node's own folders` {
  @Test func `the node's folders are below P2PNODE_HOME if it is set`() throws {
    let folders = try StateFolders(variable: { ["P2PNODE_HOME": "/n", "XDG_STATE_HOME": "/x"][$0] }, home: "/h")
    #expect(folders.config == "/n/config" && folders.state == "/n/state" && folders.cache == "/n/cache")
    #expect(folders.runtime == "/n/run")
    #expect(folders.identityFile == "/n/config/identity")
  }

  @Test func `without P2PNODE_HOME the XDG variables apply, and a relative XDG folder is ignored`() throws {
    let set = ["XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"]
    let folders = try StateFolders(variable: { set[$0] }, home: "/h")
    #expect(folders.config == "/c/p2pnode")
    #expect(folders.state == "/h/.local/state/p2pnode")
    #expect(folders.cache == "/h/.cache/p2pnode")
    #expect(folders.runtime == "/h/.local/state/p2pnode/run")
    let session = try StateFolders(variable: { ["XDG_RUNTIME_DIR": "/run/user/7"][$0] }, home: "/h")
    #expect(session.runtime == "/run/user/7/p2pnode")
  }

  @Test func `without a home the node's folders are an error`() {
    #expect(throws: StateFoldersError.noHome) { try StateFolders(variable: { _ in nil }, home: nil) }
  }

  @Test func `the node's folders are created with their parents, for their owner alone`() throws {
    let temporary = TemporaryFolder()
    for _ in 0..<2 { try StateFolders.make(temporary("a/b/c")) }
    #expect(temporary.mode("a") == 0o700 && temporary.mode("a/b") == 0o700 && temporary.mode("a/b/c") == 0o700)
    temporary.write("file", [])
    #expect(throws: StateFoldersError.cannotMake(Errno(code: ENOTDIR, call: "open", subject: temporary("file")))) {
      try StateFolders.make(temporary("file"))
    }
    #expect(throws: StateFoldersError.self) { try StateFolders.make(temporary("file/below")) }
  }

  @Test(arguments: [
    ("a", ".", "a"), ("/a", "/", "a"), ("a/b", "a", "b"), ("/a//b/", "/a", "b"), ("/", "/", ""), ("", ".", ""),
    ("a/\u{301}b", "a", "\u{301}b"),
  ])
  func `a path is split at its last slash, also before a combining mark`(path: String, folder: String, name: String) {
    #expect(PathParts(path).folder == folder)
    #expect(PathParts(path).name == name)
  }
}
