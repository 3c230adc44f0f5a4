// Whose requests are to come again later: what a source has promised to another is soon to be had from that one.

/// The readers of one file at one source that give to others what they get. A source's upload is what limits a crowd:
/// as long as it is taken by chunks that nobody else was promised (`UploadPromises`), requests for others are put off. A
/// source does not know whether there is anybody else to ask; so nobody is put off for long, nor for more than half of
/// its time. Not shared between threads.
public struct UploadChoking: Sendable {
  /// A connection, by a number of the shell's choice.
  public typealias Reader = UInt64
  /// When who was put off is to ask again; elsewhere it may ask at once.
  public static let retryAfterMilliseconds: UInt32 = 100
  /// Readers whose requests wait at a time where the upload is known to be full: what the next one asks for is likely to
  /// be sooner from somebody else.
  public static let readersMax = 8
  /// So long at a stretch at most, and again only after as much time in which it was not: far less than who has no other
  /// source would give this one up for.
  static let patienceMax: Duration = .seconds(10)
  /// So much of it at most where the upload may have room, and at first none of that.
  static let patienceWithRoomMax: Duration = .seconds(1)
  /// Who has taken nothing for so long is waited for by nobody.
  static let stalledAfter: Duration = .seconds(2)

  private static let withRoomMin = patienceMax - patienceWithRoomMax
  /// What a reader that is put off must have left.
  private static func leftMin(isFull: Bool) -> Duration {
    (isFull ? .zero : withRoomMin) + .milliseconds(Int64(retryAfterMilliseconds))
  }

  private struct Patience: Sendable {
    var left: Duration
    var counted: Instant
    /// It was told to come again, and has not.
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

  private var patience: [Reader: Patience] = [:]
  private var waits: [Reader: Wait] = [:]

  public init() {}

  /// A reader has opened the file: from now on its time counts.
  public mutating func join(_ reader: Reader, at now: Instant) {
    if patience[reader] == nil { patience[reader] = Patience(left: UploadChoking.withRoomMin, counted: now) }
  }

  /// The reader has gone.
  public mutating func leave(_ reader: Reader) {
    patience[reader] = nil
    waits[reader] = nil
  }

  /// There is a piece to be sent to a reader, and it has taken what was sent before.
  /// - `isFirst`: whether the piece is of a chunk that nobody was promised before it.
  public mutating func waits(_ reader: Reader, isFirst: Bool, at now: Instant) {
    if patience[reader] != nil { waits[reader] = Wait(isFirst: isFirst, moved: now) }
  }

  /// There is nothing to be sent to a reader.
  public mutating func rests(_ reader: Reader) { waits[reader] = nil }

  /// Whether a reader has joined, and has not gone.
  public func knows(_ reader: Reader) -> Bool { patience[reader] != nil }

  /// Whether a reader would not be put off, whatever it asks for. Of one that has not joined that is always so.
  public func isImpatient(_ reader: Reader, isFull: Bool, at now: Instant) -> Bool {
    patience[reader].map { $0.left(at: now) < UploadChoking.leftMin(isFull: isFull) } ?? true
  }

  /// Whether a request is to be taken in; else it is to come again.
  /// - `isFirst`: whether nobody was promised the chunk before its reader.
  /// - `isFull`: whether the upload is known to be all used.
  public mutating func accepts(_ reader: Reader, isFirst: Bool, isFull: Bool, at now: Instant) -> Bool {
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

  private func isBetterElsewhere(_ reader: Reader, isFirst: Bool, isFull: Bool, at now: Instant) -> Bool {
    var alike = 0
    for (other, wait) in waits where other != reader && now - wait.moved < UploadChoking.stalledAfter {
      if wait.isFirst && !isFirst { return true }
      if wait.isFirst == isFirst { alike += 1 }
    }
    return isFull && alike >= UploadChoking.readersMax
  }
}
