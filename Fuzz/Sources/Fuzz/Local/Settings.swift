// The configuration file, and settings from that file, the environment and the command line.
import Wire

@testable import CommandSettings

enum ConfigFiles {
  static let target = Target(
    "config-file",
    seeds: { _ in
      [
        "# ours\nworkers = 2\nretries=5\n\tupload-limit = 1Mi # at night\r\n",
        "allow = \(String(repeating: "aa", count: 32))\nallow=\(String(repeating: "bb", count: 32)), all\n",
        "listen = [::]:9800\nmetrics = 127.0.0.1:9464\nlan = machine\ncipher = aes\nlog-level = debug\n",
        "identity = id.key\nswarm-key = /keys/a\nmax-connections = 12\nchunk-timeout = 0.5\n", "[section]", "= 3",
      ].map { Array($0.utf8) }
    }, run)

  private static func run(_ bytes: [UInt8]) {
    do throws(SettingsError) {
      let file = try ConfigFile(bytes, path: "/etc/config")
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).count
      for (key, entries) in file.entries {
        require(key.isList || entries.count == 1, "a key is set once")
        for entry in entries {
          require((1...lines).contains(entry.line) && !entry.value.isEmpty, "an entry has a line and a value")
          require(!entry.value.utf8.contains { $0 == 0x0A || $0 == UInt8(ascii: "#") }, "a value is of its line")
        }
      }
      let settings = try Settings(options: [:], variable: { _ in nil }, file: file)
      SettingValues.check(settings)
      // `p2pnode config` prints such a file. Read again, it must mean the same.
      let text = SettingKey.allCases.map { "\($0.rawValue) = \(settings.text(of: $0))\n" }.joined()
      let again = try Settings(
        options: [:], variable: { _ in nil }, file: try ConfigFile(Array(text.utf8), path: "/etc/config"))
      for key in SettingKey.allCases {
        require(again.text(of: key) == settings.text(of: key), "\(key) survives being printed")
      }
    } catch {
      require(error.message.hasPrefix("/etc/config:"), "a message names file and line: \(error.message)")
      require(!error.message.utf8.contains { $0 < 0x20 }, "a message is one line")
    }
  }
}

enum SettingValues {
  static let target = Target(
    "setting",
    seeds: { _ in
      SettingKey.allCases.indices.map { [UInt8($0)] + Array(SettingKey.allCases[$0].standard.utf8) }
        + [
          [1] + Array("10.5Mi".utf8), [0x83] + Array("1,2".utf8), [7] + Array("1e300".utf8), [0x84] + Array("off".utf8),
        ]
    }, run)

  /// Byte 0 is the key; its bit 7 says whether the value is from the environment.
  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let kind = input.u8()
    let key = SettingKey.allCases[Int(kind & 0x7F) % SettingKey.allCases.count]
    let text = String(decoding: input.rest(), as: UTF8.self)
    quantities(text)
    do throws(SettingsError) {
      let settings =
        kind & 0x80 == 0
        ? try Settings(options: [key: [text]], variable: { _ in nil }, file: nil)
        : try Settings(options: [:], variable: { $0 == key.variable ? text : nil }, file: nil)
      check(settings)
      require(settings.isSet(key), "a value that is taken is in force")
    } catch {
      require(error.kind == .usage && !error.message.isEmpty, "a slip is said")
    }
  }

  static func check(_ settings: Settings) {
    require((1...1024).contains(settings.workers) && (0...1000).contains(settings.retries), "workers and retries")
    require((1...1_000_000).contains(settings.maxConnections ?? 1), "connections are counted")
    require(settings.uploadLimit ?? 1_000 >= 1_000, "an upload limit lets something through")
    require(settings.chunkTimeout >= .milliseconds(100) && settings.chunkTimeout <= .seconds(86_400), "a timeout")
    require(settings.downloadLimit ?? 1_000 >= 1_000, "a download limit lets something through")
    require(settings.uploadLimitPerPeer ?? 1_000 >= 1_000, "a limit for each peer lets something through")
    require(!(settings.allow?.isEmpty ?? false), "a list of allowed peers allows some")
  }

  private static func quantities(_ text: String) {
    if let size = ByteSize(argument: text) { require(size.bytes <= 1_000_000_000_000_000_000, "a size is bounded") }
    if let stay = Stay(argument: text) { require(Stay(argument: stay.description) == stay, "a time survives") }
  }
}
