// Which reader a source has promised each chunk of one file, so that it can tell the other readers.
import Content
import Wire

/// Each chunk has at most one first reader: of the connected readers that share, the one that was promised the chunk
/// first and that has most of it or waits for it. A reader that asks for a few leaves, or cancels, claims nothing. Not
/// shared between threads.
public struct UploadPromises: Sendable {
  /// For each chunk a place in `readers` plus 1, or 0: no reader. Created when there are two readers.
  private var owners: [UInt16]
  /// For each chunk: leaves sent to its first reader.
  private var sent: [UInt8]
  /// For each chunk: whether the other readers heard of the promise. They hear of it once, whichever reader gets the
  /// chunk.
  private var isTold: [Bool]
  private var readers: [ConnectionToken?] = []
  /// Readers that do not share. No other reader can fetch from them what they were promised.
  private var takers: Set<ConnectionToken> = []

  public init(chunkCount: Int) {
    owners = Array(repeating: 0, count: chunkCount)
    sent = Array(repeating: 0, count: chunkCount)
    isTold = Array(repeating: false, count: chunkCount)
  }

  public var readerCount: Int { readers.count { $0 != nil } }

  /// A connection opened the file. Returns the chunks that were promised to other readers.
  /// - `shares`: whether other peers can fetch from this reader.
  public mutating func join(_ reader: ConnectionToken, shares: Bool = true) -> [ChunkIndex] {
    if readers.contains(reader) { return [] }
    if !shares { takers.insert(reader) }
    let promised = owners.indices.filter { owners[$0] != 0 }.map { ChunkIndex(UInt32($0)) }
    if let free = readers.firstIndex(of: nil) {
      readers[free] = reader
    } else if readers.count < Int(UInt16.max) {
      readers.append(reader)
    }
    return promised
  }

  /// A connection ended: its chunks have no first reader any more. The other readers hear of the next promise of a
  /// chunk only if this reader took half of it. Else a stranger that connects and leaves could make the source send
  /// each promise again.
  public mutating func leave(_ reader: ConnectionToken) {
    guard let place = readers.firstIndex(of: reader) else { return }
    readers[place] = nil
    takers.remove(reader)
    for chunk in owners.indices where owners[chunk] == UInt16(place + 1) {
      owners[chunk] = 0
      if 2 * Int(sent[chunk]) >= ProtocolLimits.leavesPerChunk { isTold[chunk] = false }
    }
  }

  /// Leaves of a chunk were sent to a reader.
  public mutating func sent(_ leafCount: Int, of chunk: ChunkIndex, to reader: ConnectionToken) {
    guard let index = index(of: chunk, ownedBy: reader) else { return }
    sent[index] = UInt8(min(Int(sent[index]) + leafCount, Int(UInt8.max)))
  }

  /// A reader no longer waits for a chunk. If it has less than half of it, the chunk has no first reader any more.
  /// - `leafCount`: the leaves of the whole chunk.
  public mutating func settle(_ chunk: ChunkIndex, of reader: ConnectionToken, leafCount: Int) {
    guard let index = index(of: chunk, ownedBy: reader), 2 * Int(sent[index]) < leafCount else { return }
    owners[index] = 0
  }

  private func index(of chunk: ChunkIndex, ownedBy reader: ConnectionToken) -> Int? {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] != 0, readers[Int(owners[index]) - 1] == reader else { return nil }
    return index
  }

  /// Whether the chunk was promised to no other reader before.
  public func isFirst(_ reader: ConnectionToken, of chunk: ChunkIndex) -> Bool {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] != 0 else { return true }
    return readers[Int(owners[index]) - 1] == reader
  }

  /// The source will send a chunk. True if it was promised to no other reader before: then the other readers hear of
  /// it.
  public mutating func promise(_ chunk: ChunkIndex, to reader: ConnectionToken) -> Bool {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] == 0, !takers.contains(reader),
      let place = readers.firstIndex(of: reader)
    else { return false }
    owners[index] = UInt16(place + 1)
    sent[index] = 0
    guard readerCount > 1, !isTold[index] else { return false }
    isTold[index] = true
    return true
  }
}
