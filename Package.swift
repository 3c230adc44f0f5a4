// swift-tools-version: 6.1
// The rooms of p2pnode. An arrow in this file is the only permission to import; Tests/HouseTests checks it.
import PackageDescription

// `P2PNODE_COMMIT=$(scripts/commit) swift build` builds a program whose `--version` names the commit. A C macro takes it, so
// other characters are removed.
let commit = (Context.environment["P2PNODE_COMMIT"] ?? "").prefix(20).filter {
  $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")
}

let package = Package(
  name: "p2pnode",
  products: [
    .executable(name: "p2pnode", targets: ["p2pnode"]),
    .executable(name: "p2psim", targets: ["p2psim"]),
    .library(name: "P2P", targets: ["P2P"]),
    // For the package in Fuzz alone: every target that reads bytes from outside.
    .library(
      name: "Parsers",
      targets: [
        "Content", "Wire", "Transfer", "Storage", "PeerNode", "MetricsHTTP", "CommandSettings", "Screen", "Posix",
        "Sodium",
        "SQLite",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    // SHA-256 of content: about four times libsodium's speed, since it uses the SHA instructions.
    .package(url: "https://github.com/apple/swift-crypto", "3.12.0"..<"5.0.0"),
  ],
  targets: [
    // Module maps only.
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CSQLiteLibrary", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

    // SHA-256 of several messages side by side.
    .target(name: "CSHA256"),
    // Another commit compiles this target alone.
    .target(name: "CCommit", cSettings: [.define("P2PNODE_COMMIT", to: "\"\(commit)\"")]),

    // The safe faces of the C rooms.
    .target(name: "Sodium", dependencies: ["CSodium"]),
    .target(name: "Posix", dependencies: ["CLinux"]),
    .target(name: "SQLite", dependencies: ["CSQLiteLibrary"]),

    // The brain: no I/O, no clock, no hidden randomness.
    .target(name: "Content", dependencies: ["CSHA256", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "Wire", dependencies: ["Content", "Sodium"]),
    .target(name: "Transfer", dependencies: ["Content", "Wire"]),

    // The brain's second body: whole swarms on virtual time.
    .target(name: "Simulation", dependencies: ["Content", "Wire", "Transfer"]),
    .executableTarget(
      name: "p2psim",
      dependencies: [
        "Simulation", "Content", "Wire", "Transfer",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // The body.
    .target(name: "Storage", dependencies: ["Content", "Posix", "SQLite"]),
    .target(name: "PeerNode", dependencies: ["Content", "Wire", "Transfer", "Storage", "Posix", "Sodium"]),
    // The face that other programs import.
    .target(name: "P2P", dependencies: ["PeerNode", "Content", "Wire", "Transfer", "Storage", "Posix", "Sodium"]),
    // Its name is no other package's: a program may use swift-metrics too.
    .target(name: "MetricsHTTP", dependencies: ["Posix"]),
    // What the command reads from a person, and how wide what it shows is.
    .target(name: "CommandSettings", dependencies: ["Content", "Wire", "Storage", "Posix"]),
    .target(name: "Screen"),
    .executableTarget(
      name: "p2pnode",
      dependencies: [
        "CCommit", "PeerNode", "MetricsHTTP", "CommandSettings", "Screen", "Content", "Wire", "Transfer", "Storage",
        "Posix", "Sodium",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // What tests of several rooms share: folders of their own, and peers that do what a test says.
    .target(
      name: "TestSupport", dependencies: ["Content", "Wire", "Storage", "Posix", "Sodium"], path: "Tests/TestSupport"),

    // Hostile peers on real sockets against the real program: a program of its own, since it takes minutes (`scripts/hostile`).
    .executableTarget(
      name: "p2phostile",
      dependencies: [
        "TestSupport", "Content", "Wire", "Posix", "Sodium", "SQLite",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Tests/Hostile"),

    .testTarget(name: "SodiumTests", dependencies: ["Sodium"]),
    .testTarget(name: "PosixTests", dependencies: ["Posix", "TestSupport"]),
    .testTarget(name: "SQLiteTests", dependencies: ["SQLite"]),
    .testTarget(name: "ContentTests", dependencies: ["Content", "CSHA256"]),
    .testTarget(name: "WireTests", dependencies: ["Wire", "Sodium", "Content", "TestSupport"]),
    .testTarget(name: "TransferTests", dependencies: ["Transfer", "Wire", "Content", "TestSupport"]),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"]),
    .testTarget(name: "StorageTests", dependencies: ["Storage", "Content", "Posix", "SQLite", "TestSupport"]),
    .testTarget(
      name: "NodeTests",
      dependencies: ["PeerNode", "Storage", "Transfer", "Wire", "Content", "Posix", "Sodium", "TestSupport"]),
    .testTarget(name: "P2PTests", dependencies: ["P2P", "TestSupport"]),
    .testTarget(name: "MetricsHTTPTests", dependencies: ["MetricsHTTP", "Posix", "TestSupport"]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["p2pnode", "CommandSettings", "Screen", "Transfer", "Wire", "Content", "Posix", "TestSupport"]),
    .testTarget(name: "HouseTests", dependencies: ["Wire", "Content"]),
  ],
  swiftLanguageModes: [.v6]
)
