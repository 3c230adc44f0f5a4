// What each target may import. `Package.swift` says the same: a new dependency is decided in both places.

/// A target below `Sources`.
struct Room: Hashable, Sendable {
  /// The targets and products that `Package.swift` allows it to import.
  let dependencies: Set<String>
  /// Modules of the toolchain that it may also import.
  let toolchain: Set<String>
  /// Whether it does no I/O, reads no clock, and draws random numbers only from a generator that it was given.
  let isPure: Bool

  init(_ dependencies: Set<String> = [], toolchain: Set<String> = [], isPure: Bool = false) {
    self.dependencies = dependencies
    self.toolchain = toolchain
    self.isPure = isPure
  }
}

enum Rooms {
  private static let libraries: Set = ["Content", "Wire", "Transfer", "Storage", "Posix", "Sodium"]

  static let all: [String: Room] = [
    "CSodium": Room(),
    "CLinux": Room(),
    "CSQLiteLibrary": Room(),
    "CSHA256": Room(),
    "CCommit": Room(),
    "Sodium": Room(["CSodium"]),
    "Posix": Room(["CLinux"], toolchain: ["Glibc"]),
    "SQLite": Room(["CSQLiteLibrary"]),
    "Content": Room(["CSHA256", "Crypto"], isPure: true),
    "Wire": Room(["Content", "Sodium"], isPure: true),
    "Transfer": Room(["Content", "Wire"], isPure: true),
    "Simulation": Room(["Content", "Wire", "Transfer"], isPure: true),
    "p2psim": Room(["Simulation", "Content", "Wire", "Transfer", "ArgumentParser"]),
    "Storage": Room(["Content", "Posix", "SQLite"], toolchain: ["Synchronization"]),
    "PeerNode": Room(libraries, toolchain: ["Synchronization"]),
    "P2P": Room(libraries.union(["PeerNode"]), toolchain: ["FoundationEssentials"]),
    "MetricsHTTP": Room(["Posix"]),
    "CommandSettings": Room(["Content", "Wire", "Storage", "Posix"]),
    "Screen": Room(isPure: true),
    "p2pnode": Room(
      libraries.union(["CCommit", "PeerNode", "MetricsHTTP", "CommandSettings", "Screen", "ArgumentParser"]),
      toolchain: ["Synchronization"]),
  ]

  /// A target that tests share, and a program of tests. They are below `Tests`, where other rules apply.
  static let shared: [String: Room] = [
    "TestSupport": Room(libraries.subtracting(["Transfer"])),
    "p2phostile": Room(["TestSupport", "Content", "Wire", "Posix", "Sodium", "SQLite", "ArgumentParser"]),
  ]

  /// The targets that may use pointers, and single files elsewhere that must pass bytes to a library.
  static let unsafeRooms: Set = ["Sodium", "Posix", "SQLite"]
  static let unsafeFiles: Set = ["Sources/Content/SHA256Span.swift", "Sources/Wire/ByteWriter.swift"]

  /// Returns the targets of a package manifest with their dependencies. Leaves out test targets.
  static func declared(in manifest: String) -> [String: Set<String>] {
    let target = Pattern(
      #"\.(?:target|executableTarget|systemLibrary)\(\s*name: "(\w+)"(?:,\s*dependencies: \[([^\]]*)\])?"#)
    let dependency = Pattern(#"\.product\(name: "(\w+)", package: "[^"]*"\)|"(\w+)""#)
    var targets: [String: Set<String>] = [:]
    for found in target.matches(in: manifest) {
      targets[found[1]] = Set(dependency.matches(in: found[2]).map { $0[1].isEmpty ? $0[2] : $0[1] })
    }
    return targets
  }
}
