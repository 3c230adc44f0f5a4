// All limits on what a peer may send and what a node may hold: first those of the protocol, then our own.

/// Defaults for what a user does not specify. To change one, first change `Protocol/links.md`.
public enum ProtocolDefaults {
  /// The TCP port of a peer that is named without a port, and the port at which `serve` listens.
  public static let port: UInt16 = 9_800
}

/// Limits that both ends must share. To change one, first change `Protocol/README.md` ("Limits").
public enum ProtocolLimits {
  /// The longest `length` of a control frame (type and body), in bytes. A page of 1,024 chunk hashes (32 KiB) fits, and
  /// so does the bitmap of a sixteenth of the largest file. One such buffer for each connection is still cheap.
  public static let frameLengthMax = 65_536
  /// The longest `length` of a DATA frame, in bytes: 64 KiB of leaves, the 64 leaf hashes of a chunk, and the fixed fields.
  public static let dataFrameLengthMax = 69_632
  /// Leaves in one DATA frame: a whole chunk of small files may fit into one frame.
  public static let dataLeavesMax = 64
  /// Bytes of all leaves in one DATA frame: 64 KiB, which is one read and one record.
  public static let dataLeafBytesMax = 65_536
  /// Leaves of full length in one DATA frame.
  public static let dataFullLeavesMax = dataLeafBytesMax / leafBytesMax
  /// Bytes of a leaf, as in BEP 52.
  public static let leafBytesMax = 16_384
  /// Leaves of a chunk: 1 MiB in leaves of 16 KiB.
  public static let leavesPerChunk = 64
  /// Chunks of a file, or of the contents of a folder: 2^22. So each is at most 4 TiB, and computing with an index
  /// cannot overflow.
  public static let chunksMax = 1 << 22
  /// Chunk hashes in a page: 32 KiB, an aligned subtree of 2^10 chunks.
  public static let chunksPerPage = 1_024
  /// Uncle hashes in a page: the levels between a page's node (2^10 chunks) and the root of 2^22 chunks.
  public static let unclesPerPageMax = 12
  /// Runs of leaves in a HAVE: as many as fit in a control frame.
  public static let haveRunsMax = (frameLengthMax - 7) / 6
  /// Chunks in a PROMISED: as many as fit in a control frame.
  public static let promisedChunksMax = (frameLengthMax - 7) / 4
  /// Chunks in a BITMAP: 32 KiB of bits.
  public static let bitmapChunksMax = 262_144
  /// Addresses in a PEERS. With more, one message could flood an address book.
  public static let peersMax = 50
  /// Bytes of the text of a GOODBYE: one line for a person.
  public static let goodbyeTextBytesMax = 128
  /// Bytes of a suggested name: the longest file name of the usual file systems.
  public static let nameBytesMax = 255
  /// Unanswered requests in one direction of a connection. A request beyond the limit is answered BUSY.
  public static let requestsInFlightMax = 64
  /// Files that one end may have open at the other. An OPEN beyond the limit is refused with status 2.
  public static let openFilesMax = 64
  /// Connections of one PeerID at a time: a few for a peer that opens several on purpose, and one for a newcomer while
  /// a node finds out whether an older connection is dead.
  public static let connectionsPerPeerMax = 4
  /// If a peer is silent for this long after a PING, its older connection counts as dead. This is several round trips
  /// of a bad path, and much less than a peer that comes back after a crash would wait.
  public static let probePatience = Duration.seconds(5)
  /// Unanswered OPENs in one direction of a connection. One more is a protocol error.
  public static let opensUnansweredMax = 64
  /// OPENs of a connection that match no file and are answered at once: more than a peer can have open files.
  public static let missedOpensAtOnce = 64
  /// From the TCP connection to the last handshake message: four round trips of a bad path.
  public static let handshakeTimeout = Duration.seconds(10)
  /// A connection is closed after this long without a byte from the other end.
  public static let idleTimeout = Duration.seconds(120)
  /// A PING is sent after this long without a byte from the other end. If one answer is lost, a minute is left.
  public static let pingAfter = Duration.seconds(60)
  /// The lowest average rate of a frame that has begun, in bytes per second. A slower peer holds buffers on purpose.
  public static let frameBytesPerSecondMin = 1_024
  /// The rate of a frame is checked only after this long from its first byte, so that one lost segment does not count.
  public static let frameProgressGrace = Duration.seconds(10)
  /// A connection is dropped if bytes wait to be sent and the other end takes none for this long.
  public static let stalledSendTimeout = Duration.seconds(60)
  /// LAN queries that a node answers per second: 24 KiB/s, enough for a few rounds of a hundred peers at once.
  public static let discoveryAnswersPerSecondMax = 256
  /// LAN queries from one address that a node answers per second: enough for a round of a few downloads on one machine.
  public static let discoveryAnswersPerAddressMax = 8
  /// Nonces that a node remembers at least, so that it answers none twice: a few seconds' worth at the highest rate.
  public static let discoveryNoncesMin = 1_024
  /// A LAN answer that arrives later than this is ignored: a local network answers within milliseconds.
  public static let discoveryAnswerTime = Duration.seconds(10)
  /// The longest wait between two rounds of queries.
  public static let discoveryIntervalMax = Duration.seconds(30)
}

/// Limits of this implementation. They may be changed freely, because no peer depends on them.
public enum NodeLimits {
  /// How long a connection over the limit is kept, at most. In this time it can open a file and receive the addresses
  /// of other peers that have it.
  public static let turnedAwayTimeout = Duration.seconds(2)
  /// A connection with an open file counts as idle if the peer has requested nothing for this long. A peer that waits
  /// for a retry asks again after at most 10 s.
  public static let idleUseTime = Duration.seconds(30)
  /// When connection slots are scarce, a connection without an open file is closed after this long. An honest peer
  /// opens a file within a round trip.
  public static let nothingOpenTimeout = Duration.seconds(10)
  /// How long a node reads on after GOODBYE: two round trips of a bad path.
  public static let lingerTimeout = Duration.seconds(2)
  /// If a piece of 64 KiB takes longer than this to leave, the connection counts as slow: it gets less than 3 MB/s.
  public static let slowPieceTime = Duration.milliseconds(20)
  /// Bytes that the kernel may hold unsent on a slow connection. The node cannot reorder these bytes. If many peers
  /// share an uplink, large kernel buffers would override the order of turns. On a link of 10 KB/s they would also hold
  /// half a minute of data, which after a timeout and CANCEL would be sent in vain before anything new.
  public static let slowUnsentBytesMax = 16 << 10
  /// If more bytes than this wait on a connection, hints are held back and merged (`HintBacklog`).
  public static let hintedOutboxBytesMax = 16 << 10
  /// Bytes that the kernel may hold unsent on any other connection: what 1 Gbit/s sends in a millisecond, so the loop
  /// refills in time. 1,024 connections whose peers do not read hold 128 MiB of kernel memory.
  public static let unsentBytesMax = 128 << 10
  /// Bytes that the outboxes of all connections of a node may hold together, so that a small virtual machine can serve.
  /// Above seven eighths of it, hints are dropped and connections whose peers do not read are closed.
  public static let outboxesBytesMax = 64 << 20
  /// The shortest time between two searches of a loop for connections to close while outboxes hold too much.
  public static let relieveInterval = Duration.milliseconds(100)
  /// The most memory that an empty outbox keeps for the next piece.
  public static let idleOutboxBytesMax = 128 << 10
  /// How long a download may hold up others on the same connection while its output accepts nothing. A disk that syncs
  /// takes a second or two.
  public static let starvingTime = Duration.seconds(3)
  /// Frames of one connection that a loop handles in one turn, before it turns to other connections. All the requests
  /// that a peer may have in flight fit.
  public static let framesPerTurn = 128
  /// REQUESTs that a peer may take back at once, by CANCEL or CLOSE, before a leaf of the answer was sent; further ones
  /// are answered BUSY. All that may be in flight, 16 times: an honest download takes back a few dozen on a connection.
  public static let takenBackAtOnceMax = 16 * ProtocolLimits.requestsInFlightMax
  /// REQUESTs that a peer may take back a second after that: all that may be in flight.
  public static let takenBackPerSecond = ProtocolLimits.requestsInFlightMax
  /// Bytes that a connection may make the node hash again at once, to answer with leaf hashes: full chunks for two
  /// downloads that ask for 8 each.
  public static let rehashedBytesAtOnceMax = 16 << 20
  /// Bytes that it may make the node hash again a second after that: a full chunk, so that a peer that gets nothing else
  /// still makes progress.
  public static let rehashedBytesPerSecond = 1 << 20
  /// Bytes that it may make the node hash again for each byte of leaves that is sent: a requester may ask one peer for a
  /// quarter of a chunk, and other peers for the rest.
  public static let rehashedBytesPerByteSent = 4
  /// Memory of an idle connection: 1,024 of them take 16 MiB.
  public static let idleConnectionBytesMax = 16 << 10
  /// Bytes that `-o -` holds back to bring chunks into order.
  public static let reorderBytesMax = 16 << 20
}
