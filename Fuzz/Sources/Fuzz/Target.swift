// The fuzz targets. Each accepts any bytes, and stops the program if the code under test breaks a promise.

struct Target: Sendable {
  let name: String
  /// The first inputs, made from the protocol's test vectors.
  let seeds: @Sendable (Vectors) -> [[UInt8]]
  let run: @Sendable ([UInt8]) -> Void

  init(
    _ name: String, seeds: @escaping @Sendable (Vectors) -> [[UInt8]] = { _ in [] },
    _ run: @escaping @Sendable ([UInt8]) -> Void
  ) {
    self.name = name
    self.seeds = seeds
    self.run = run
  }

  static let all: [Target] = [
    // Bytes of a peer, from the first one on.
    Preambles.target, Handshakes.target, HandshakePayloads.target, Records.target, Frames.target, Messages.target,
    // What a peer says about a file.
    Pages.target, LeafHashesOfPeers.target, Manifests.target, Names.target,
    FolderListings.target, FolderHashes.target,
    // Bytes from a stranger on the network or from a user.
    Datagrams.target, Links.target, Addresses.target, HTTPRequests.target,
    // Bytes from a disk.
    Journals.target, CatalogueRows.target, LocalNodeFiles.target, ConfigFiles.target, SettingValues.target,
    // Texts on a terminal.
    Widths.target,
    // Decisions. The input is a whole conversation.
    Sessions.stranger, Sessions.pair, Downloads.target, Downloads.flood,
  ]

  static func named(_ name: String) -> Target? { all.first { $0.name == name } }
}

/// Stops the program if a promise is broken. libFuzzer then reports the input.
@inline(__always)
func require(_ holds: Bool, _ promise: @autoclosure () -> String) {
  if !holds { fatalError("broken: \(promise())") }
}
