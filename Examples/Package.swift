// swift-tools-version: 6.1
// Programs outside the project, which use p2pnode as a package. README.md lists them.
import PackageDescription

let package = Package(
  name: "examples",
  dependencies: [.package(name: "p2pnode", path: "..")],
  targets: ["p2pfetch", "p2pboth", "p2pstream", "p2pfirst", "p2preadme", "p2pmany"].map { name in
    // With this feature a program sees only members of modules that it imports, so P2P must be enough.
    .executableTarget(
      name: name, dependencies: [.product(name: "P2P", package: "p2pnode")],
      swiftSettings: [.enableUpcomingFeature("MemberImportVisibility")])
  },
  swiftLanguageModes: [.v6]
)
