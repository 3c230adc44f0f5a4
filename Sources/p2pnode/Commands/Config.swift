// `p2pnode config`: prints the settings in force and the origin of each.
import ArgumentParser
import CommandSettings
import Storage

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Prints the settings in force, and where each comes from.",
    discussion: """
      Reads the environment and the configuration file as 'serve' and 'get' do. What it prints is such a file itself, with \
      each value's origin beside it. The command line wins over the environment (P2PNODE_UPLOAD_LIMIT for upload-limit), \
      the environment over the file, the file over the default.

      The file is ~/.config/p2pnode/config ($P2PNODE_HOME/config/config where P2PNODE_HOME is set): lines of 'key = value', \
      in which # begins a comment.

      If swarm-key names a file that cannot be used, the last line says so, and the exit code is 66.

        p2pnode config
        p2pnode config --default > p2pnode.config
      """)

  @Flag(name: .customLong("default"), help: "Print a file to start from: every key with its meaning and its default.")
  var isDefault = false

  @Flag(help: "One JSON object a key on stdout.")
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
      # The place of this file: \(StateFolders.configFileForPeople). Or name it: --config FILE.
      # The command line wins over the environment (P2PNODE_UPLOAD_LIMIT), that over this file.
      # 'p2pnode config' prints what is in force. A running 'serve' or 'get' reads again what it uses of these, on SIGHUP:
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
