// The options that say which files of a folder count. They are the same for serving a folder and for printing its ID.
import ArgumentParser
import CommandSettings
import Storage

struct FolderOptions: ParsableArguments {
  @Flag(inversion: .prefixedNo, help: "Whether to take in names that begin with a dot: not unless told so.")
  var hidden: Bool?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Whether to take the target of a symbolic link as a file, wherever it is. Otherwise a link stays a link, and is left out if it leads out of the folder."
  )
  var followLinks: Bool?

  @Option(
    help: ArgumentHelp(
      "Leave out what matches: '*.log' by name, '/build' by path from the folder on. May be repeated.",
      valueName: "GLOB"))
  var exclude: [String] = []

  /// The values from the command line.
  var given: [SettingKey: [String]] {
    var given: [SettingKey: [String]] = [:]
    given[.hidden] = hidden.map { [$0 ? "on" : "off"] }
    given[.followLinks] = followLinks.map { [$0 ? "on" : "off"] }
    given[.exclude] = exclude.isEmpty ? nil : exclude
    return given
  }
}
