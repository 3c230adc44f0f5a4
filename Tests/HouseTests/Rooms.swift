// What each target may import. `Package.swift` declares the same; a new arrow is a decision, and is made in both places.

/// A target below `Sources`.
struct Room: Hashable, Sendable {
  /// What `Package.swift` lets it import: targets and products.
  let dependencies: Set<String>
  /// Modules of the toolchain that it may import as well.
  let toolchain: Set<String>
  /// Does no I/O, reads no clock, draws no random number that was not handed to it.
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
      libraries.union(["PeerNode", "MetricsHTTP", "CommandSettings", "Screen", "ArgumentParser"]),
      toolchain: ["Synchronization"]),
  ]

  /// What tests share, and a program of tests. They are below `Tests`, where other rules hold.
  static let shared: [String: Room] = [
    "TestSupport": Room(libraries.subtracting(["Transfer"])),
    "p2phostile": Room(["TestSupport", "Content", "Wire", "Posix", "Sodium", "SQLite", "ArgumentParser"]),
  ]

  /// The rooms in which pointers are seen, and the files elsewhere that have to show their bytes to a library.
  static let unsafeRooms: Set = ["Sodium", "Posix", "SQLite"]
  static let unsafeFiles: Set = ["Sources/Content/SHA256Span.swift", "Sources/Wire/ByteWriter.swift"]

  /// The targets of a package manifest with what each depends on; those of tests are left out.
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
