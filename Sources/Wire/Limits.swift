// Every number that bounds what a peer may send or we may hold: the protocol's, then our own.

/// Values that stand where a person names none: to change one is to change `Protocol/links.md` first.
public enum ProtocolDefaults {
  /// The TCP port of a peer that is named without one, and the one that a serving node listens on.
  public static let port: UInt16 = 9_800
}

/// Limits that both ends must share: to change one is to change `Protocol/README.md` ("Limits") first.
public enum ProtocolLimits {
  /// The longest `length` of a control frame (type and body), in bytes: a page of 1,024 chunk hashes (32 KiB) and the
  /// bitmap of a sixteenth of the largest file fit, and one buffer a connection is still cheap.
  public static let frameLengthMax = 65_536
  /// The longest `length` of a DATA frame, in bytes: 64 KiB of leaves, the 64 leaf hashes of a chunk, and the fixed fields.
  public static let dataFrameLengthMax = 69_632
  /// Leaves in one DATA frame: a chunk of small files may fit into one.
  public static let dataLeavesMax = 64
  /// Bytes of all leaves in one DATA frame: 64 KiB, one read, one record.
  public static let dataLeafBytesMax = 65_536
  /// Leaves of full length in one DATA frame.
  public static let dataFullLeavesMax = dataLeafBytesMax / leafBytesMax
  /// Bytes of a leaf, as in BEP 52.
  public static let leafBytesMax = 16_384
  /// Leaves of a chunk: 1 MiB of 16 KiB.
  public static let leavesPerChunk = 64
  /// Chunks of a file, or of the contents of a folder: 2^22, so each is at most 4 TiB and an index never overflows
  /// anything.
  public static let chunksMax = 1 << 22
  /// Chunk hashes in a page: an aligned subtree of 2^10 chunks, 32 KiB.
  public static let chunksPerPage = 1_024
  /// Uncle hashes in a page: the levels between a page's node (2^10 chunks) and the root of 2^22 chunks.
  public static let unclesPerPageMax = 12
  /// Runs of leaves in a HAVE: what fits in a control frame.
  public static let haveRunsMax = (frameLengthMax - 7) / 6
  /// Chunks in a PROMISED: what fits in a control frame.
  public static let promisedChunksMax = (frameLengthMax - 7) / 4
  /// Chunks in a BITMAP: 32 KiB of bits.
  public static let bitmapChunksMax = 262_144
  /// Addresses in a PEERS: more would let one message flood an address book.
  public static let peersMax = 50
  /// Bytes of the text of a GOODBYE: a line for a person.
  public static let goodbyeTextBytesMax = 128
  /// Bytes of a suggested name: the longest file name of the usual file systems.
  public static let nameBytesMax = 255
  /// Requests that may be unanswered in one direction of a connection; the one too many is answered BUSY.
  public static let requestsInFlightMax = 64
  /// Files that one end may have open at the other; the one too many is refused with status 2.
  public static let openFilesMax = 64
  /// Connections of one PeerID at a time: a few for a peer that means several, and room for a newcomer while an end finds
  /// out whether an older one is dead.
  public static let connectionsPerPeerMax = 4
  /// An older connection of a peer that is silent for this long after a PING counts as dead: several round trips of a bad
  /// path, and far less than a peer that comes back after a crash would wait.
  public static let probePatience = Duration.seconds(5)
  /// OPENs that may be unanswered in one direction of a connection; the one too many is a protocol error.
  public static let opensUnansweredMax = 64
  /// OPENs of a connection that name no file and are answered at once: more than a peer can have open files.
  public static let missedOpensAtOnce = 64
  /// From the accepted or established TCP connection to the last handshake message: four round trips of a bad path.
  public static let handshakeTimeout = Duration.seconds(10)
  /// Without a byte from the other end for this long, a connection is closed.
  public static let idleTimeout = Duration.seconds(120)
  /// Without a byte from the other end for this long, a PING is sent: one lost answer still leaves a minute.
  public static let pingAfter = Duration.seconds(60)
  /// Bytes a second that a begun frame must make on average: slower is a peer that holds our buffers on purpose.
  public static let frameBytesPerSecondMin = 1_024
  /// A frame is judged by that rate from this long after its first byte on: a single lost segment is no verdict.
  public static let frameProgressGrace = Duration.seconds(10)
  /// With bytes to send and none taken by the other end for this long, the connection is dropped.
  public static let stalledSendTimeout = Duration.seconds(60)
  /// Queries of a local network that a node answers a second: 24 KiB/s, and a few rounds of a hundred askers at once.
  public static let discoveryAnswersPerSecondMax = 256
  /// Of these, to one address: a round of a few downloads on one machine.
  public static let discoveryAnswersPerAddressMax = 8
  /// Nonces that are remembered at least, so that none is answered twice: some seconds of the most that is answered.
  public static let discoveryNoncesMin = 1_024
  /// An answer that takes longer is none to a question of ours: a local network answers within milliseconds.
  public static let discoveryAnswerTime = Duration.seconds(10)
  /// The longest wait between two rounds of queries.
  public static let discoveryIntervalMax = Duration.seconds(30)
}

/// Limits of this implementation: free to change, since no peer depends on them.
public enum NodeLimits {
  /// A connection over the limit is kept until it has opened a file and is told which other peers have it, for that long
  /// at most.
  public static let turnedAwayTimeout = Duration.seconds(2)
  /// A connection with a file open counts as idle when the peer has asked for nothing for this long: a peer that waits for
  /// a retry asks again after 10 s.
  public static let idleUseTime = Duration.seconds(30)
  /// Where places are few, a connection without an open file is closed after this long: an honest peer opens one within a
  /// round trip.
  public static let nothingOpenTimeout = Duration.seconds(10)
  /// Reading on after GOODBYE: a round trip of a bad path, twice.
  public static let lingerTimeout = Duration.seconds(2)
  /// A piece of 64 KiB that takes longer to leave makes a connection slow: it gets less than 3 MB/s.
  public static let slowPieceTime = Duration.milliseconds(20)
  /// Bytes that the kernel may hold unsent on a slow connection. What it holds leaves in its own order: where many share an
  /// uplink the order of turns would count for little. And on a link of 10 KB/s it would hold half a minute's worth, which
  /// after a timeout and its CANCEL comes in vain before anything new does.
  public static let slowUnsentBytesMax = 16 << 10
  /// With more than this waiting to be sent on a connection, hints wait elsewhere and are merged (`HintBacklog`).
  public static let hintedOutboxBytesMax = 16 << 10
  /// Bytes that the kernel may hold unsent on any other connection: what 1 Gbit/s takes in a millisecond, so that the loop
  /// is never late; 1,024 connections that do not read hold 128 MiB of the kernel's memory.
  public static let unsentBytesMax = 128 << 10
  /// What the outboxes of all connections of a node may hold together: a small virtual machine serves with it. Above
  /// seven eighths of it hints are dropped and connections end whose peers do not read.
  public static let outboxesBytesMax = 64 << 20
  /// How often, at most, a loop looks for connections to end while outboxes hold too much.
  public static let relieveInterval = Duration.milliseconds(100)
  /// An empty outbox keeps so much memory at most for the next piece.
  public static let idleOutboxBytesMax = 128 << 10
  /// Where several downloads share a connection, one whose output takes nothing holds up the others for so long at most: a
  /// disk that syncs takes a second or two.
  public static let starvingTime = Duration.seconds(3)
  /// Frames of one connection that are dealt with in one turn of a loop; then it is the turn of the others. All that a
  /// peer may ask for at a time fit in.
  public static let framesPerTurn = 128
  /// Memory of an idle connection: 1,024 of them in 16 MiB.
  public static let idleConnectionBytesMax = 16 << 10
  /// What `-o -` holds back to bring chunks into order.
  public static let reorderBytesMax = 16 << 20
}
