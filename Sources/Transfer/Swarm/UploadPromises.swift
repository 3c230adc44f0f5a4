// Which reader each chunk of one file was promised to at a source, so that the source can announce it to the other
// readers.
import Content
import Wire

/// Each chunk has at most one first reader: the connected reader that shares, was promised the chunk first, and has at
/// least half of it or waits for it. A reader that asks for a few leaves, or cancels, does not stay the first reader.
/// Not shared between threads.
public struct UploadPromises: Sendable {
  /// For each chunk, the place of its first reader in `readers` plus 1, or 0 if it has none.
  private var owners: [UInt16]
  /// For each chunk, the leaves sent to its first reader.
  private var sent: [UInt8]
  /// For each chunk, whether the other readers heard of a promise. They hear of one promise, whichever reader gets the
  /// chunk.
  private var isTold: [Bool]
  private var readers: [ConnectionToken?] = []
  /// Readers that do not share. No other reader can fetch their chunks from them.
  private var takers: Set<ConnectionToken> = []

  public init(chunkCount: Int) {
    owners = Array(repeating: 0, count: chunkCount)
    sent = Array(repeating: 0, count: chunkCount)
    isTold = Array(repeating: false, count: chunkCount)
  }

  public var readerCount: Int { readers.count { $0 != nil } }

  /// Enters a connection that opened the file. Returns the chunks that were promised to other readers.
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

  /// Removes a connection that ended. Its chunks have no first reader any more. The other readers hear of the next
  /// promise of a chunk only if this reader took half of it. Else a stranger that connects and leaves could make the
  /// source announce each promise again.
  public mutating func leave(_ reader: ConnectionToken) {
    guard let place = readers.firstIndex(of: reader) else { return }
    readers[place] = nil
    takers.remove(reader)
    for chunk in owners.indices where owners[chunk] == UInt16(place + 1) {
      owners[chunk] = 0
      if 2 * Int(sent[chunk]) >= ProtocolLimits.leavesPerChunk { isTold[chunk] = false }
    }
  }

  /// Counts leaves of a chunk that were sent to a reader.
  public mutating func sent(_ leafCount: Int, of chunk: ChunkIndex, to reader: ConnectionToken) {
    guard let index = index(of: chunk, ownedBy: reader) else { return }
    sent[index] = UInt8(min(Int(sent[index]) + leafCount, Int(UInt8.max)))
  }

  /// Notes that a reader no longer waits for a chunk. If it got less than half of it, the chunk has no first reader any
  /// more.
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

  /// Returns whether no other reader is the first reader of the chunk.
  public func isFirst(_ reader: ConnectionToken, of chunk: ChunkIndex) -> Bool {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] != 0 else { return true }
    return readers[Int(owners[index]) - 1] == reader
  }

  /// Notes that the source will send a chunk. True if the caller announces this promise to the other readers: it is the
  /// first one of the chunk.
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
