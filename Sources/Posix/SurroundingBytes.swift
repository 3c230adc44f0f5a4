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
    var next = p2p_environment()
    while let entry = next?.pointee {
      let parts = bytes(of: entry).split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(decoding: parts[0], as: UTF8.self)
      if isUsed(name), let found = NotUTF8(.variable(name), Array(parts.dropFirst().first ?? [])) { return found }
      next = next?.advanced(by: 1)
    }
    guard let folder = getcwd(nil, 0) else { return nil }
    defer { free(folder) }
    return NotUTF8(.workingFolder, bytes(of: folder))
  }

  private static func bytes(of text: UnsafePointer<CChar>) -> [UInt8] {
    (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
  }
}
