// swift-tools-version: 6.1
// A program outside the project: it knows p2pnode as a package only.
import PackageDescription

let package = Package(
  name: "p2pfetch",
  dependencies: [.package(name: "p2pnode", path: "../..")],
  targets: [
    .executableTarget(name: "p2pfetch", dependencies: [.product(name: "P2P", package: "p2pnode")]),
    .executableTarget(name: "p2pmany", dependencies: [.product(name: "P2P", package: "p2pnode")]),
  ],
  swiftLanguageModes: [.v6]
)
