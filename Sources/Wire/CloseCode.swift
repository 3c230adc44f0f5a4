// Why a connection ends, as sent to the other end in GOODBYE.

/// The codes of GOODBYE (`Protocol/README.md`, "Close codes").
public enum CloseCode: UInt8, Sendable, CaseIterable {
  case done = 0
  case shuttingDown = 1
  case protocolError = 2
  case tooManyConnections = 3
  case idle = 4
  case duplicateConnection = 5
  case badData = 6
  case notAllowed = 7
  case internalError = 8
  case tooSlow = 9

  /// Reads a code that this version does not know as `internalError`.
  public init(wire code: UInt8) { self = CloseCode(rawValue: code) ?? .internalError }
}
