// Which requests a source answers BUSY, so that chunks that no other peer has go first.

/// Chokes readers of one file at one source, as BitTorrent calls it: a choked reader gets BUSY, and asks again later.
/// Only readers that share are choked. Not shared between threads.
///
/// The upload of the source limits a crowd. While chunks that were promised to no other reader (`UploadPromises`) fill
/// the upload, the source refuses requests for other chunks: the reader that was promised such a chunk soon serves it.
/// The source does not know whether a reader has another peer to ask. So it refuses no reader for long, nor for more
/// than half of the time.
public struct UploadChoking: Sendable {
  /// When a choked reader may ask this source again. It may ask another peer at once.
  public static let retryAfterMilliseconds: UInt32 = 100
  /// How many readers may have waiting requests while the upload is known to be full. A further reader probably gets
  /// its chunk sooner from another peer.
  public static let readersMax = 8
  /// A reader is choked for at most this long without a break, and again only after a break of the same length. A
  /// reader without another source waits far longer before it gives this one up.
  static let patienceMax: Duration = .seconds(10)
  /// The longest choking while the upload may have room. A new reader starts with none of this time.
  static let patienceWithRoomMax: Duration = .seconds(1)
  /// A reader that has taken nothing for this long does not keep others choked.
  static let stalledAfter: Duration = .seconds(2)

  private static let withRoomMin = patienceMax - patienceWithRoomMax
  /// Returns the patience that a reader must have left to be choked.
  private static func leftMin(isFull: Bool) -> Duration {
    (isFull ? .zero : withRoomMin) + .milliseconds(Int64(retryAfterMilliseconds))
  }

  private struct Patience: Sendable {
    var left: Duration
    var counted: Instant
    /// Whether the reader was refused and has not asked again yet.
    var isPutOff = false

    func left(at now: Instant) -> Duration {
      let passed = max(now - counted, .zero)
      return !isPutOff ? min(left + passed, patienceMax) : left - passed
    }
  }

  private struct Wait: Sendable {
    let isFirst: Bool
    let moved: Instant
  }

  private var patience: [ConnectionToken: Patience] = [:]
  private var waits: [ConnectionToken: Wait] = [:]

  public init() {}

  /// Enters a reader that has opened the file. Its patience grows from now on.
  public mutating func join(_ reader: ConnectionToken, at now: Instant) {
    if patience[reader] == nil { patience[reader] = Patience(left: UploadChoking.withRoomMin, counted: now) }
  }

  /// Removes a reader that has gone.
  public mutating func leave(_ reader: ConnectionToken) {
    patience[reader] = nil
    waits[reader] = nil
  }

  /// Notes that a piece waits for a reader, which has taken all earlier pieces.
  /// - `isFirst`: whether the chunk of the piece was promised to no other reader before.
  public mutating func waits(_ reader: ConnectionToken, isFirst: Bool, at now: Instant) {
    if patience[reader] != nil { waits[reader] = Wait(isFirst: isFirst, moved: now) }
  }

  /// Notes that no piece waits for a reader.
  public mutating func rests(_ reader: ConnectionToken) { waits[reader] = nil }

  /// Returns whether a reader has joined and has not left.
  public func knows(_ reader: ConnectionToken) -> Bool { patience[reader] != nil }

  /// Returns whether a reader is not choked, whatever it asks for. Always true for a reader that has not joined.
  public func isImpatient(_ reader: ConnectionToken, isFull: Bool, at now: Instant) -> Bool {
    patience[reader].map { $0.left(at: now) < UploadChoking.leftMin(isFull: isFull) } ?? true
  }

  /// Returns whether the source accepts a request. If not, the reader asks again later.
  /// - `isFirst`: whether the chunk was promised to no other reader before.
  /// - `isFull`: whether the upload is known to be full.
  public mutating func accepts(_ reader: ConnectionToken, isFirst: Bool, isFull: Bool, at now: Instant) -> Bool {
    guard let known = patience[reader] else { return true }
    let left = known.left(at: now)
    let isPutOff =
      left >= UploadChoking.leftMin(isFull: isFull)
      && isBetterElsewhere(reader, isFirst: isFirst, isFull: isFull, at: now)
    patience[reader] = Patience(
      left: max(left, .zero), counted: max(now, known.counted),
      isPutOff: isPutOff)
    return !isPutOff
  }

  private func isBetterElsewhere(_ reader: ConnectionToken, isFirst: Bool, isFull: Bool, at now: Instant) -> Bool {
    var alike = 0
    for (other, wait) in waits where other != reader && now - wait.moved < UploadChoking.stalledAfter {
      if wait.isFirst && !isFirst { return true }
      if wait.isFirst == isFirst { alike += 1 }
    }
    return isFull && alike >= UploadChoking.readersMax
  }
}
