// swift-tools-version: 6.1
// Fuzzing of everything that reads bytes from outside: one program, in which the target is chosen by name.
import PackageDescription

let package = Package(
  name: "p2pfuzz",
  dependencies: [.package(name: "p2pnode", path: "..")],
  targets: [
    .executableTarget(name: "Fuzz", dependencies: [.product(name: "Parsers", package: "p2pnode")])
  ],
  swiftLanguageModes: [.v6]
)
