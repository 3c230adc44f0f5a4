// The faults that a peer, a link, a disk or the getter can have.

/// A kind of fault. A scenario combines them at random.
public enum Fault: String, CaseIterable, Sendable {
  // The network.
  case slowLink, longDelay, jitter, resets, stalls
  // A peer that cannot be reached.
  case refusesDials, unreachable, notAdmitted, wrongPeer, ourselves
  // A peer that stops.
  case crashes, losesPower, leaves, isStopped
  // The only source is away at times, and the getter waits for it.
  case vanishes
  // A peer that does not answer requests as it should.
  case lacksFile, refusesOpen, ignoresOpen, ignoresPages, goesSilent, answersLate, isBusy, withdraws
  // A peer that gives less than it promises: it closes when asked, sends a leaf now and then, or has only one chunk.
  case closesWhenAsked, dribbles, claimsLastChunk
  // A peer that holds a request for a while and then returns it without an answer, in a way that is not a failure.
  case givesBack
  // A stranger that dials the getter repeatedly, each time with another PeerID.
  case dialsIn, changesIdentity
  // A peer that is dialled and also dials the getter, so that there are two connections. A peer without free slots,
  // which turns the getter away.
  case dialsToo, turnsAway
  // A peer that lies or violates the protocol.
  case wrongBytes, wrongLeafHashes, wrongPage, wrongManifest, wrongProof, breaksProtocol
  // A peer with two addresses, or one that shares its address with others.
  case twoAddresses, sharedAddress
  // The getter.
  case slowDisk, fullDisk, failsToWrite, failsToSync, rots, fewBlocks, killed, losesOwnPower, cancelled

  static let ofPeers: [Fault] = [
    .slowLink, .longDelay, .jitter, .resets, .stalls, .refusesDials, .unreachable, .notAdmitted, .wrongPeer, .ourselves,
    .crashes, .losesPower, .leaves, .isStopped, .lacksFile, .refusesOpen, .ignoresOpen, .ignoresPages, .goesSilent,
    .answersLate, .isBusy, .withdraws, .wrongBytes, .wrongLeafHashes, .wrongPage, .wrongManifest, .wrongProof,
    .breaksProtocol, .twoAddresses, .sharedAddress, .closesWhenAsked, .dribbles, .claimsLastChunk, .changesIdentity,
    .givesBack,
  ]
  /// Faults of strangers that come in numbers.
  static let ofStrangers: [Fault] = [
    .ignoresOpen, .ignoresPages, .goesSilent, .isBusy, .withdraws, .wrongBytes, .wrongLeafHashes, .wrongPage,
    .wrongManifest, .wrongProof, .breaksProtocol, .closesWhenAsked, .dribbles, .claimsLastChunk, .givesBack,
  ]
  static let ofGetter: [Fault] = [
    .slowDisk, .fullDisk, .failsToWrite, .failsToSync, .rots, .fewBlocks, .killed, .losesOwnPower, .cancelled,
  ]

  /// Faults that a reachable honest peer may have: it still serves.
  static let harmless: Set<Fault> = [.jitter, .longDelay, .twoAddresses, .sharedAddress, .dialsToo]
}
