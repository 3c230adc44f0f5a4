// swift-tools-version: 6.1
// A node as a service of a server program. It is a separate package, so that p2pnode depends on none of these packages.
import PackageDescription

let package = Package(
  name: "p2pnode-service",
  products: [.library(name: "P2PService", targets: ["P2PService"])],
  dependencies: [
    .package(name: "p2pnode", path: "../.."),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
  ],
  targets: [
    .target(
      name: "P2PService",
      dependencies: [
        .product(name: "P2P", package: "p2pnode"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
      ]),
    .executableTarget(
      name: "p2pserve",
      dependencies: [
        "P2PService",
        .product(name: "P2P", package: "p2pnode"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "P2PServiceTests",
      dependencies: [
        "P2PService",
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
