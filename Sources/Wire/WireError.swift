// How a peer can break the framing. Each error closes the connection with a close code.

/// A frame that violates the protocol. The connection cannot go on: the start of the next frame is no longer certain.
public enum WireError: Error, Hashable, Sendable {
  /// `length` is 0, or more than the type allows.
  case badLength(UInt32)
  /// An even type that this version does not know. Unknown odd types are skipped.
  case unknownType(UInt8)
  /// The body is longer or shorter than its fields, or a field holds a value that its table does not list.
  case malformed(FrameType)
  /// A text is not UTF-8.
  case invalidText(FrameType)

  /// The close code to send in GOODBYE before the connection is closed.
  public var closeCode: CloseCode {
    switch self {
    case .badLength, .unknownType, .malformed, .invalidText: .protocolError
    }
  }
}

extension WireError: CustomStringConvertible {
  /// The error in words, as GOODBYE carries them.
  public var description: String {
    switch self {
    case .badLength(let length): "a frame of length \(length)"
    case .unknownType(let type): "a frame of type \(type), which this version does not know"
    case .malformed(let type): "a malformed \(type)"
    case .invalidText(let type): "a text in \(type) that is not UTF-8"
    }
  }
}
