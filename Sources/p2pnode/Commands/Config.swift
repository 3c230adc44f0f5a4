// `p2pnode config`: prints the settings in force and the origin of each.
import ArgumentParser
import CommandSettings
import Storage

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Prints the current settings and the origin of each.",
    discussion: """
      Reads the environment and the configuration file as 'serve' and 'get' do. The output is itself a valid \
      configuration file, with the origin of each value in a comment. Options on the command line override the \
      environment (P2PNODE_UPLOAD_LIMIT for upload-limit). The environment overrides the file. The file overrides \
      the defaults.

      The file is ~/.config/p2pnode/config, or $P2PNODE_HOME/config/config if P2PNODE_HOME is set. It has lines of \
      'key = value'; # begins a comment.

      If 'config' cannot use the file that swarm-key names, it prints an error and exits with 66.

        p2pnode config
        p2pnode config --default > p2pnode.config
      """)

  @Flag(
    name: .customLong("default"),
    help: "Print a configuration file to start from: every key with its meaning and its default.")
  var isDefault = false

  @Flag(help: "Print each setting as a JSON object, one a line, on stdout.")
  var json = false

  @OptionGroup var place: ConfigOption

  func run() throws {
    if isDefault { return Console.output(Config.page) }
    try reporting(json: json) { () throws(Failure) in try printSettings() }
  }

  private func printSettings() throws(Failure) {
    let settings = try Settings.inForce(options: [:], file: try place.file())
    let lines = SettingKey.allCases.map { key in "\(key.rawValue) = \(settings.text(of: key))" }
    let width = min(40, lines.map(\.count).max() ?? 0)
    for (key, line) in zip(SettingKey.allCases, lines) {
      let origin = settings.origin(of: key)
      if json {
        var object = JSONLine(event: "setting")
        object.set("key", key.rawValue)
        object.set("value", settings.text(of: key))
        object.set("from", "\(origin)")
        Console.output(object.finished)
      } else {
        let padding = String(repeating: " ", count: max(0, width - line.count))
        Console.output("\(Console.escaped(line))\(padding)  # \(Console.escaped("\(origin)"))")
      }
    }
    // Fails if a node with these settings would not start.
    _ = try settings.loadSwarmKey()
  }

  /// A configuration file with the default of every key in a comment.
  static var page: String {
    var text = """
      # The settings of p2pnode: lines of 'key = value'. Every line here is a comment with the default: remove its '#'.
      # Save it as \(StateFolders.configFileForPeople), or name it with --config FILE.
      # The command line overrides the environment (P2PNODE_UPLOAD_LIMIT). The environment overrides this file.
      # 'p2pnode config' prints the current settings. On SIGHUP a running 'serve' or 'get' reads these keys again:
      # \(SettingKey.allCases.filter(\.isReloaded).map(\.rawValue).joined(separator: ", ")).

      """
    for key in SettingKey.allCases {
      text += "\n" + wrapped(key.meaning, width: 98).map { "# \($0)\n" }.joined()
      text += "#\(key.rawValue) = \(key.standard)\n"
    }
    text.removeLast()
    return text
  }

  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
