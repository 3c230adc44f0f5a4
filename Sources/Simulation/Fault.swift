// Everything that can be wrong with a peer, a link, a disk or the getter itself.

/// A kind of fault. A scenario mixes them at random.
public enum Fault: String, CaseIterable, Sendable {
  // The network.
  case slowLink, longDelay, jitter, resets, stalls
  // A peer that cannot be had.
  case refusesDials, unreachable, notAdmitted, wrongPeer, ourselves
  // A peer that goes.
  case crashes, losesPower, leaves, isStopped
  // The only source, which is away at times; the getter waits for it.
  case vanishes
  // A peer that does not do what it is asked.
  case lacksFile, refusesOpen, ignoresOpen, ignoresPages, goesSilent, answersLate, isBusy, withdraws
  // A peer that promises and does not give: it closes when it is asked, sends a leaf now and then, or has one chunk only.
  case closesWhenAsked, dribbles, claimsLastChunk
  // A peer that holds a request for a while, and gives it back without an answer in a way that is no failure.
  case givesBack
  // A stranger: it dials the getter, again and again, each time under another PeerID.
  case dialsIn, changesIdentity
  // A peer that is dialled and dials the getter as well, so that there are two connections. One without room: it turns
  // the getter away.
  case dialsToo, turnsAway
  // A peer that lies, or breaks the protocol.
  case wrongBytes, wrongLeafHashes, wrongPage, wrongManifest, wrongProof, breaksProtocol
  // A peer that is known by two addresses, or behind one address with others.
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
  /// What strangers that come in numbers do.
  static let ofStrangers: [Fault] = [
    .ignoresOpen, .ignoresPages, .goesSilent, .isBusy, .withdraws, .wrongBytes, .wrongLeafHashes, .wrongPage,
    .wrongManifest, .wrongProof, .breaksProtocol, .closesWhenAsked, .dribbles, .claimsLastChunk, .givesBack,
  ]
  static let ofGetter: [Fault] = [
    .slowDisk, .fullDisk, .failsToWrite, .failsToSync, .rots, .fewBlocks, .killed, .losesOwnPower, .cancelled,
  ]

  /// Those that an honest peer which can be reached may have: it still serves.
  static let harmless: Set<Fault> = [.jitter, .longDelay, .twoAddresses, .sharedAddress, .dialsToo]
}
