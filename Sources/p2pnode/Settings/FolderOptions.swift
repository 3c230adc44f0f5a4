// The options that say which files of a folder count. They are the same for serving a folder and for printing its ID.
import ArgumentParser
import CommandSettings
import Storage

struct FolderOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Include hidden files and folders (names that begin with a dot), or leave them out (default)."
  )
  var hidden: Bool?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Follow symbolic links: include the target as a file, wherever it is. Or keep links as links, and leave out links that lead out of the folder (default)."
  )
  var followLinks: Bool?

  @Option(
    help: ArgumentHelp(
      "Leave out files and folders that match these patterns, separated by commas: '*.log' matches names, '/build' "
        + "the path in the folder. May be repeated.",
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
