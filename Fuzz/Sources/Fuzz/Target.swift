// What is fuzzed: each target takes any bytes, and stops the program where the code under test breaks a promise.

struct Target: Sendable {
  let name: String
  /// Inputs to begin with, made of the protocol's test vectors.
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
    // What a peer says of a file.
    Pages.target, LeafHashesOfPeers.target, Manifests.target, Names.target,
    FolderListings.target, FolderHashes.target,
    // Bytes of a stranger on the network, or of a person.
    Datagrams.target, Links.target, Addresses.target, HTTPRequests.target,
    // Bytes of a disk.
    Journals.target, CatalogueRows.target, LocalNodeFiles.target, ConfigFiles.target, SettingValues.target,
    // What a terminal shows.
    Widths.target,
    // Decisions, with whole conversations as input.
    Sessions.stranger, Sessions.pair, Downloads.target, Downloads.flood,
  ]

  static func named(_ name: String) -> Target? { all.first { $0.name == name } }
}

/// Stops the program, which libFuzzer then reports with the input, where a promise is broken.
@inline(__always)
func require(_ holds: Bool, _ promise: @autoclosure () -> String) {
  if !holds { fatalError("broken: \(promise())") }
}
