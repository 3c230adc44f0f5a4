// The small numbers that frames name things by, each with its own type so that none is taken for another.

/// Names a request on one connection; strictly increasing in each direction.
public struct RequestID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: RequestID, b: RequestID) -> Bool { a.rawValue < b.rawValue }
}

/// Names an opened file on one connection; chosen by the end that opened it.
public struct FileHandle: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: FileHandle, b: FileHandle) -> Bool { a.rawValue < b.rawValue }
}
