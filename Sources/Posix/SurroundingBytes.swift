// Finds inherited arguments, variables and paths that are not UTF-8. Linux allows any bytes, and as a `String` they
// would name another file.
import CLinux
import Glibc

/// An argument, a variable or the working folder whose bytes are not UTF-8.
public struct NotUTF8: Hashable, Sendable {
  public enum Place: Hashable, Sendable {
    case argument
    case variable(String)
    case workingFolder
  }

  public let place: Place
  public let bytes: [UInt8]

  init?(_ place: Place, _ bytes: [UInt8]) {
    guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
    (self.place, self.bytes) = (place, bytes)
  }
}

extension Environment {
  /// Returns the first argument, used variable or working folder that is not UTF-8; nil if all are. Do not call it
  /// while another thread sets a variable. The corresponding C functions are `getenv` and `getcwd`.
  /// - `isUsed`: returns whether the program reads a variable.
  public static func firstNotUTF8(variables isUsed: (String) -> Bool) -> NotUTF8? {
    for i in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[i] else { break }
      if let found = NotUTF8(.argument, bytes(of: argument)) { return found }
    }
    for (name, value) in variableBytes {
      if isUsed(name), let found = NotUTF8(.variable(name), value) { return found }
    }
    guard let folder = getcwd(nil, 0) else { return nil }
    defer { free(folder) }
    return NotUTF8(.workingFolder, bytes(of: folder))
  }

  /// The names of all variables, in the order of the environment; an entry without '=' is its own name. Not called while
  /// another thread sets a variable. The corresponding C variable is `environ`.
  public static var variableNames: [String] { variableBytes.map(\.name) }

  private static var variableBytes: [(name: String, value: [UInt8])] {
    var variables: [(name: String, value: [UInt8])] = []
    var next = p2p_environment()
    while let entry = next?.pointee {
      let parts = bytes(of: entry).split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      variables.append((String(decoding: parts[0], as: UTF8.self), Array(parts.dropFirst().first ?? [])))
      next = next?.advanced(by: 1)
    }
    return variables
  }

  private static func bytes(of text: UnsafePointer<CChar>) -> [UInt8] {
    (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
  }
}
