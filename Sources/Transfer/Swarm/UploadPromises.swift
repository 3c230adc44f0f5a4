// Which chunks of one file a source has promised to whom, so that it can say what nobody else needs to ask for first.
import Content
import Wire

/// Each chunk has at most one first reader: the one that was promised it before anybody else who is still there, gives it
/// to others, and has most of it or waits for it. Who asks for a little, or takes back what it asked for, claims nothing.
/// Not shared between threads.
public struct UploadPromises: Sendable {
  /// A connection that has the file open, by a number of the shell's choice.
  public typealias Reader = UInt64

  /// By chunk: 0 nobody, else a place in `readers` plus 1; made when there are two readers to tell apart.
  private var owners: [UInt16]
  /// By chunk: leaves that were sent to its first reader.
  private var sent: [UInt8]
  /// By chunk: whether others were told of the promise; they are told once, whoever has it in the end.
  private var isTold: [Bool]
  private var readers: [Reader?] = []
  /// Of those, who keeps what it gets to itself: what it is promised is to be had from nobody else.
  private var takers: Set<Reader> = []

  public init(chunkCount: Int) {
    owners = Array(repeating: 0, count: chunkCount)
    sent = Array(repeating: 0, count: chunkCount)
    isTold = Array(repeating: false, count: chunkCount)
  }

  public var readerCount: Int { readers.count { $0 != nil } }

  /// A connection has opened the file. Returns what was promised to others before.
  /// - `shares`: whether others can fetch from it what it gets.
  public mutating func join(_ reader: Reader, shares: Bool = true) -> [ChunkIndex] {
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

  /// A connection has ended: what it was promised is nobody's again. Others are told of the next promise of a chunk only if
  /// it took half of the chunk: else a stranger that comes and goes would have each promise sent to all others again.
  public mutating func leave(_ reader: Reader) {
    guard let place = readers.firstIndex(of: reader) else { return }
    readers[place] = nil
    takers.remove(reader)
    for chunk in owners.indices where owners[chunk] == UInt16(place + 1) {
      owners[chunk] = 0
      if 2 * Int(sent[chunk]) >= ProtocolLimits.leavesPerChunk { isTold[chunk] = false }
    }
  }

  /// Leaves of a chunk left for a reader.
  public mutating func sent(_ leafCount: Int, of chunk: ChunkIndex, to reader: Reader) {
    guard let index = index(of: chunk, ownedBy: reader) else { return }
    sent[index] = UInt8(min(Int(sent[index]) + leafCount, Int(UInt8.max)))
  }

  /// A reader waits for nothing of a chunk any more: where it has less than half, the chunk is nobody's again.
  /// - `leafCount`: of the whole chunk.
  public mutating func settle(_ chunk: ChunkIndex, of reader: Reader, leafCount: Int) {
    guard let index = index(of: chunk, ownedBy: reader), 2 * Int(sent[index]) < leafCount else { return }
    owners[index] = 0
  }

  private func index(of chunk: ChunkIndex, ownedBy reader: Reader) -> Int? {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] != 0, readers[Int(owners[index]) - 1] == reader else { return nil }
    return index
  }

  /// Whether nobody but the reader was promised the chunk before it.
  public func isFirst(_ reader: Reader, of chunk: ChunkIndex) -> Bool {
    let index = Int(chunk.rawValue)
    guard index < owners.count, owners[index] != 0 else { return true }
    return readers[Int(owners[index]) - 1] == reader
  }

  /// A chunk was asked for and will be sent. True where nobody else was promised it before: then the others are told.
  public mutating func promise(_ chunk: ChunkIndex, to reader: Reader) -> Bool {
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
