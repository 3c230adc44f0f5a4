// What the parent process gave this one, as bytes: Linux lets them be any, and a `String` of them would name another file.
import CLinux
import Glibc

/// A word, a variable or the working folder whose bytes are not UTF-8.
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
  /// What of the command line, of some variables and of the working folder's path is not UTF-8; nil if all of it is. Not
  /// called while another thread sets a variable. The corresponding C functions are `getenv` and `getcwd`.
  /// - `isUsed`: whether the program reads a variable.
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
