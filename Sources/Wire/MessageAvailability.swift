// What a peer already has while it is still downloading, and which other peers it knows.
import Content

/// A run of leaves of one chunk of a file.
public struct LeafRun: Hashable, Sendable {
  public let chunk: ChunkIndex
  public let leaves: LeafRange

  public init(chunk: ChunkIndex, leaves: LeafRange) {
    self.chunk = chunk
    self.leaves = leaves
  }
}

/// Leaves that the sender has verified since its last BITMAP or HAVE.
public struct Have: Hashable, Sendable {
  /// The receiver's handle: the receiver has opened the file.
  public let handle: FileHandle
  /// 1…10,921.
  public let runs: [LeafRun]

  public init(handle: FileHandle, runs: [LeafRun]) {
    precondition((1...ProtocolLimits.haveRunsMax).contains(runs.count), "a HAVE has at least one run and fits a frame")
    self.handle = handle
    self.runs = runs
  }
}

/// Which whole chunks of a range of chunks the sender has.
public struct Bitmap: Hashable, Sendable {
  public let handle: FileHandle
  public let firstChunk: ChunkIndex
  /// Chunks in the range: 1…262,144.
  public let count: Int
  /// One bit for each chunk, most significant bit first. Spare bits of the last byte are 0.
  public let bits: [UInt8]

  public init(handle: FileHandle, firstChunk: ChunkIndex, count: Int, bits: [UInt8]) {
    precondition(Bitmap.isStretch(firstChunk: firstChunk.rawValue, count: UInt32(clamping: count)), "no such stretch")
    precondition(Bitmap.areBits(bits, of: count), "a bit a chunk, spare bits 0")
    self.handle = handle
    self.firstChunk = firstChunk
    self.count = count
    self.bits = bits
  }

  /// Whether the sender has the chunk `index` places after `firstChunk`.
  public subscript(index: Int) -> Bool {
    precondition(index >= 0 && index < count, "outside the bitmap's stretch")
    return bits[index / 8] & (0x80 >> UInt8(index % 8)) != 0
  }

  /// Returns which of the 64 chunks from 64 × `index` on the sender has, within the range. Bit 0 is the first chunk.
  public func mask(ofWord index: Int) -> UInt64 {
    let place = 64 * index - Int(firstChunk.rawValue)
    let (byte, shift) = (place >> 3, UInt64(place & 7))
    let whole = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bitsReversed(byte + $1)) << UInt64(8 * $1) }
    return shift == 0 ? whole : whole >> shift | UInt64(bitsReversed(byte + 8)) << (64 - shift)
  }

  /// Returns a byte with its bits reversed, so that its first chunk is bit 0. Returns 0 outside the range.
  private func bitsReversed(_ place: Int) -> UInt8 {
    guard bits.indices.contains(place), bits[place] != 0 else { return 0 }
    var byte = bits[place]
    byte = byte >> 4 | byte << 4
    byte = byte >> 2 & 0x33 | (byte & 0x33) << 2
    return byte >> 1 & 0x55 | (byte & 0x55) << 1
  }

  /// Whether the range is not empty, not too long, and within the largest file.
  static func isStretch(firstChunk: UInt32, count: UInt32) -> Bool {
    count >= 1 && count <= ProtocolLimits.bitmapChunksMax && firstChunk <= ProtocolLimits.chunksMax
      && Int(count) <= ProtocolLimits.chunksMax - Int(firstChunk)
  }

  /// Whether the number of bytes is right for `count` bits and the spare bits are 0.
  static func areBits(_ bits: [UInt8], of count: Int) -> Bool {
    guard bits.count == (count + 7) / 8, let last = bits.last else { return false }
    let used = count % 8
    return used == 0 || last & (0xFF >> UInt8(used)) == 0
  }
}

/// Chunks that the sender has promised to another peer, which will share them. A hint: ask for other chunks first.
public struct Promised: Hashable, Sendable {
  /// The receiver's handle: the receiver has opened the file.
  public let handle: FileHandle
  /// 1…16,382.
  public let chunks: [ChunkIndex]

  public init(handle: FileHandle, chunks: [ChunkIndex]) {
    precondition(
      (1...ProtocolLimits.promisedChunksMax).contains(chunks.count), "a PROMISED names chunks and fits a frame")
    self.handle = handle
    self.chunks = chunks
  }
}

/// Addresses of other peers that have the file.
public struct PeerExchange: Hashable, Sendable {
  /// An address to dial and the PeerID that should answer there.
  public struct Entry: Hashable, Sendable {
    /// 16 bytes; IPv4 as `::ffff:a.b.c.d`.
    public let ip: [UInt8]
    public let port: UInt16
    public let peer: PeerID

    public init(ip: [UInt8], port: UInt16, peer: PeerID) {
      precondition(ip.count == 16, "an address is 16 bytes")
      self.ip = ip
      self.port = port
      self.peer = peer
    }

    /// The 12 bytes before an IPv4 address.
    static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    /// Whether the address is IPv4. It is then sent as 4 bytes.
    var isIPv4: Bool { ip.starts(with: Entry.mappedPrefix) }
  }

  public let handle: FileHandle
  /// At most 50.
  public let entries: [Entry]

  public init(handle: FileHandle, entries: [Entry]) {
    precondition(entries.count <= ProtocolLimits.peersMax, "a PEERS has at most 50 entries")
    self.handle = handle
    self.entries = entries
  }
}
