// Settings: which source wins, and how mistakes are reported.
import CommandSettings
import Testing
import Wire

@testable import p2pnode

struct SettingsTests {
  private func file(_ text: String) throws(SettingsError) -> ConfigFile {
    try ConfigFile(Array(text.utf8), path: "/etc/p2pnode/config")
  }

  private func settings(
    _ options: [SettingKey: [String]] = [:], _ environment: [String: String] = [:], _ text: String? = nil
  ) throws(SettingsError) -> Settings {
    var read: ConfigFile?
    if let text { read = try file(text) }
    return try Settings(options: options, variable: { environment[$0] }, file: read)
  }

  private func refusal(
    _ options: [SettingKey: [String]] = [:], _ environment: [String: String] = [:], _ text: String? = nil
  )
    -> String?
  {
    do throws(SettingsError) {
      _ = try settings(options, environment, text)
      return nil
    } catch {
      #expect(error.kind == .usage)
      return error.message
    }
  }

  // MARK: Precedence

  @Test func `without any settings the defaults apply`() throws {
    let settings = try settings()
    #expect(
      settings.jobs == 4 && settings.workers == 8 && settings.retries == 3 && settings.chunkTimeout == .seconds(30))
    #expect(settings.listen.description == "[::]:9800" && settings.maxConnections == nil)
    #expect(settings.uploadLimit == nil && settings.allow == nil && settings.metrics == nil)
    #expect(settings.uploadLimitPerPeer == nil && settings.zone == nil)
    #expect(settings.lan == .on && settings.cipher == .auto && settings.logLevel == .info)
    #expect(settings.identity == nil && settings.swarmKey == nil)
    for key in SettingKey.allCases {
      #expect(settings.origin(of: key) == .standard && settings.text(of: key) == key.standard)
    }
  }

  @Test func `the command line overrides the environment, which overrides the file`() throws {
    let text = "# ours\nworkers = 2\nretries=5\n\tupload-limit = 1Mi # at night\r\n"
    let environment = ["P2PNODE_WORKERS": "3", "P2PNODE_RETRIES": "6"]
    let settings = try settings([.workers: ["4"]], environment, text)
    #expect(settings.workers == 4 && settings.retries == 6 && settings.uploadLimit == 1 << 20)
    #expect(settings.origin(of: .workers) == .commandLine(option: "--workers"))
    #expect(settings.origin(of: .retries) == .environment(variable: "P2PNODE_RETRIES"))
    #expect(settings.origin(of: .uploadLimit) == .file(path: "/etc/p2pnode/config", line: 4))
    #expect(settings.origin(of: .cipher) == .standard)
  }

  @Test func `the command line can lift a limit of the file`() throws {
    #expect(try settings([.uploadLimit: ["none"]], [:], "upload-limit = 1M").uploadLimit == nil)
    let text = "upload-limit-per-peer = 1M\nzone = eu-west.1_A"
    let set = try settings([:], [:], text)
    #expect(set.uploadLimitPerPeer == 1_000_000 && set.zone?.description == "eu-west.1_A" && set.uploadLimit == nil)
    let lifted = try settings([.uploadLimitPerPeer: ["none"], .zone: ["none"]], [:], text)
    #expect(lifted.uploadLimitPerPeer == nil && lifted.zone == nil)
  }

  @Test func `every default can be written as a value`() throws {
    for key in SettingKey.allCases {
      let settings = try settings([:], [:], "\(key.rawValue) = \(key.standard)")
      #expect(settings.text(of: key) == key.standard, "\(key)")
    }
  }

  @Test func `allowed peers add up within one source, and do not across sources`() throws {
    let ids = ["aa", "bb", "cc"].map { String(repeating: $0, count: 32) }
    let text = "allow = \(ids[0])\nallow=\(ids[1]), \(ids[2])\n"
    #expect(try settings([:], [:], text).allow?.count == 3)
    #expect(
      try settings([.allow: [ids[0], ids[2]]], [:], text).allow == Set([ids[0], ids[2]].compactMap { PeerID(hex: $0) }))
    #expect(try settings([:], ["P2PNODE_ALLOW": "all"], text).allow == nil)
  }

  @Test func `a path in the file is relative to its folder, one on the command line to the current folder`() throws {
    #expect(try settings([:], [:], "identity = id.key").identity == "/etc/p2pnode/id.key")
    #expect(try settings([:], [:], "swarm-key = /keys/a").swarmKey == "/keys/a")
    #expect(try settings([.identity: ["id.key"]]).identity == "id.key")
  }

  @Test func `P2PNODE_LAN=off still searches this machine, and lan = off in the file does not`() throws {
    #expect(try settings([:], ["P2PNODE_LAN": "off"]).lan == .machine)
    #expect(try settings([:], ["P2PNODE_LAN": "on"], "lan = off").lan == .on)
    #expect(try settings([:], [:], "lan = off").lan == .off)
  }

  // MARK: Slips

  static let slips = [
    "colour = red", "listen", "= 3", "workers =", "workers = 0", "jobs = 0", "jobs = 65", "workers = many",
    "workers = 2\nworkers = 2",
    "retries = -1", "retries = 1001", "chunk-timeout = 0", "chunk-timeout = nan", "chunk-timeout = 1e9",
    "listen = nowhere", "listen = 1.2.3.4", "upload-limit = 1", "upload-limit = fast", "download-limit = 1", "wait = 5",
    "wait = 5 s", "upload-limit-per-peer = 999", "zone = a b", "zone = a/b", "zone = zürich", "max-connections = 0",
    "max-connections = 99999999999999999999", "lan = maybe", "cipher = rot13", "log-level = loud", "allow = abc",
    "allow = ,", "metrics = localhost:9464", "metrics = 9464", "metrics = 127.0.0.1",
    "[section]", "workers = \u{1}2", "Workers = 2",
  ]

  @Test(arguments: slips)
  func `an error names file and line, and what to do`(slip: String) throws {
    let message = try #require(refusal([:], [:], "# a comment\n\n\(slip)\n"), "\(slip)")
    let line = slip.contains("\n") ? 4 : 3
    #expect(message.hasPrefix("/etc/p2pnode/config:\(line): "), "\(message)")
    #expect(["is not", "config --default", "remove"].contains { message.contains($0) }, "\(message)")
  }

  @Test func `a file that is not UTF-8 is an error`() throws {
    #expect(throws: SettingsError.self) { try ConfigFile([0x6C, 0x61, 0x6E, 0x3D, 0xFF, 0xFE], path: "a") }
    #expect(throws: SettingsError.self) { try ConfigFile([0xFF, 0x3D, 0x61], path: "a") }
  }

  @Test func `a mistake in the file is an error even if the command line overrides its key`() {
    #expect(refusal([.workers: ["4"]], [:], "workers = none")?.hasPrefix("/etc/p2pnode/config:1: ") == true)
  }

  @Test func `an error outside the file names the option or the variable`() {
    #expect(refusal([.workers: ["many"]])?.hasPrefix("--workers 'many' is not a number from 1 to 1024") == true)
    #expect(refusal([:], ["P2PNODE_RETRIES": "x"])?.hasPrefix("P2PNODE_RETRIES 'x' is not a number") == true)
  }

  // MARK: Reloading

  @Test func `a reload reports what changed and what needs a restart`() throws {
    let old = try settings([:], [:], "upload-limit = 1M\ncipher = aes\nworkers = 2")
    let new = try settings([:], [:], "upload-limit = 2M\ncipher = chacha\nworkers = 3")
    #expect(
      ServeReload.changes(from: old, to: new) == [
        "reloaded: upload-limit: 1M is now 2M (/etc/p2pnode/config:1)",
        "not reloaded: cipher: aes is now chacha (/etc/p2pnode/config:2): restart serve to apply it",
      ])
    let taken = old.taking(over: new)
    #expect(taken.uploadLimit == 2_000_000 && taken.cipher == .aes)
    #expect(ServeReload.changes(from: taken, to: new).count == 1)
  }
}
