// A link is one word of a shell without quotes: pasted into bash, zsh or fish, it arrives as it was printed.
import Foundation
import Testing

struct LinkShellTests {
  private let workbench = Workbench()

  /// How to start each shell: with all features that change words turned on, and without the user's files.
  private static let shells = [
    ["bash", "--norc", "-O", "extglob", "-O", "nullglob", "-H", "-B", "-c"],
    ["zsh", "-f", "-o", "extended_glob", "-o", "magic_equal_subst", "-o", "ksh_glob", "-o", "nomatch", "-c"],
    ["fish", "--no-config", "-c"],
    ["sh", "-c"],
  ]

  @Test(arguments: shells)
  func `an unquoted link arrives as one word, unchanged`(shell: [String]) throws {
    let known = try workbench.ended(try workbench.start("sh", ["-c", "command -v \(shell[0])"]))
    if known.code != 0 { try Test.cancel("there is no \(shell[0]) here") }
    // All ASCII characters that a file name can have, tildes where shells expand them, and an IPv6 address.
    let characters = (1...126).filter { $0 != 0x2F }.map { UInt8($0) }
    let name = "~root:~=ls" + String(decoding: characters, as: UTF8.self)
    let path = try workbench.makeFile(name, [1])
    let link = try workbench.run("link", path, "--peer", "[2001:db8::1]:9800", "--peer", "a-b.example")
    #expect(link.code == 0 && link.stdout.lines.count == 1, "\(link)")
    let text = link.stdout.lines[0]
    let echo = try workbench.ended(
      try workbench.start(shell[0], shell.dropFirst() + ["printf '<%s>\\n' \(text)"]))
    #expect(echo.code == 0, "\(echo)")
    #expect(echo.stdout.text == "<\(text)>\n", "\(echo)")
  }
}
