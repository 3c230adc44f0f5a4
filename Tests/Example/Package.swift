// swift-tools-version: 6.1
// A program outside the project: it knows p2pnode as a package only.
import PackageDescription

let package = Package(
  name: "p2pfetch",
  dependencies: [.package(name: "p2pnode", path: "../..")],
  targets: ["p2pfetch", "p2pmany", "p2pfirst", "p2preadme"].map { name in
    // With this feature a program sees only members of modules that it imports, so P2P must be enough.
    .executableTarget(
      name: name, dependencies: [.product(name: "P2P", package: "p2pnode")],
      swiftSettings: [.enableUpcomingFeature("MemberImportVisibility")])
  },
  swiftLanguageModes: [.v6]
)
