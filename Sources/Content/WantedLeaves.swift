// The part of a content that a download fetches.

/// The leaves of a content that a download wants. Only chunks that differ from the default take memory.
public struct WantedLeaves: Hashable, Sendable {
  /// Every leaf of every chunk.
  public static let all = WantedLeaves(others: .max)
  /// No leaf.
  public static let none = WantedLeaves(others: 0)

  private let others: UInt64
  private var masks: [ChunkIndex: UInt64] = [:]

  private init(others: UInt64) { self.others = others }

  /// Whether every leaf is wanted.
  public var isAll: Bool { others == .max && masks.isEmpty }

  /// Returns the wanted leaves of a chunk. Bit 0 is the first. Ignore bits of leaves that the chunk does not have.
  public func mask(of chunk: ChunkIndex) -> UInt64 { masks[chunk] ?? others }

  /// Adds leaves of a chunk.
  public mutating func insert(_ mask: UInt64, of chunk: ChunkIndex) { set(self.mask(of: chunk) | mask, of: chunk) }

  /// Removes leaves of a chunk.
  public mutating func remove(_ mask: UInt64, of chunk: ChunkIndex) { set(self.mask(of: chunk) & ~mask, of: chunk) }

  private mutating func set(_ mask: UInt64, of chunk: ChunkIndex) { masks[chunk] = mask == others ? nil : mask }
}
