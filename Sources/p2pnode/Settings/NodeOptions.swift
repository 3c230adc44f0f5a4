// The options that several verbs share. They are combined with the environment and the configuration file.
import ArgumentParser
import CommandSettings
import PeerNode
import Posix
import Sodium
import Storage
import Wire

/// The option that names the configuration file.
struct ConfigOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use this configuration file instead of ~/.config/p2pnode/config; /dev/null for none.", valueName: "FILE"),
    completion: .file())
  var config: String?

  /// Reads the configuration file. Nil if there is none. A missing file is an error only if the option names it.
  func file() throws(Failure) -> ConfigFile? {
    if let config {
      guard let file = try ConfigOption.read(config) else {
        throw Failure(
          Exit.noInput,
          "--config \(config): no such file; make one with 'p2pnode config --default', or leave the option out")
      }
      return file
    }
    guard let path = (try? StateFolders.ofUser())?.configFile else { return nil }
    return try ConfigOption.read(path)
  }

  private static func read(_ path: String) throws(Failure) -> ConfigFile? {
    do throws(SettingsError) { return try ConfigFile.read(path) } catch { throw Failure(error) }
  }
}

/// The options of all verbs that talk to peers. Values are texts, because the same code reads a setting from all its
/// places.
struct SwarmOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file with this node's secret key (32 bytes, mode 0600). It is created if it does not exist.",
      valueName: "FILE"),
    completion: .file())
  var identity: String?

  @Option(
    help: ArgumentHelp(
      "The file with the key of a private swarm, made by 'p2pnode keygen'. All nodes of the swarm need the same key.",
      valueName: "FILE"),
    completion: .file())
  var swarmKey: String?

  @Option(
    help: ArgumentHelp("The cipher: auto, aes or chacha (default auto).", valueName: "CIPHER"),
    completion: .list(Cipher.allCases.map(\.rawValue)))
  var cipher: String?

  @Flag(
    inversion: .prefixedNo,
    help:
      "Find peers on this machine and its local networks, and let them find this node (default); or do neither.")
  var lan: Bool?

  @Option(
    help: ArgumentHelp(
      "Print lines of this level and above on stderr: error, warning, info or debug (default info).", valueName: "LEVEL"
    ),
    completion: .list(LogLevel.allCases.map(\.rawValue)))
  var logLevel: String?

  @OptionGroup var config: ConfigOption

  /// The values from the command line.
  var given: [SettingKey: [String]] {
    var given: [SettingKey: [String]] = [:]
    given[.identity] = identity.map { [$0] }
    given[.swarmKey] = swarmKey.map { [$0] }
    given[.cipher] = cipher.map { [$0] }
    given[.lan] = lan.map { [$0 ? "on" : "off"] }
    given[.logLevel] = logLevel.map { [$0] }
    return given
  }

  /// Returns the settings in force now: the configuration file may change. `others` holds the options of one verb.
  func settings(_ others: [SettingKey: [String]]) throws(Failure) -> Settings {
    try Settings.inForce(options: given.merging(others) { one, _ in one }, file: try config.file())
  }
}

/// The options that `serve`, `send` and `get` share.
struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The address where peers connect; port 0 is any free port. Default of serve and send: [::]:9800, or any free port "
        + "if 9800 is in use. Default of get: [::]:0.", valueName: "HOST:PORT"))
  var listen: String?

  @Option(
    help: ArgumentHelp(
      "Upload limit in bytes per second, for example 10M or 1Gi; none for no limit (default none).", valueName: "RATE"))
  var uploadLimit: String?

  @Option(
    help: ArgumentHelp(
      "Upload limit for each peer address in bytes per second, for example 10M or 1Gi; none for no limit (default none).",
      valueName: "RATE"))
  var uploadLimitPerPeer: String?

  @Option(
    help: ArgumentHelp(
      "Accept at most N connections at a time (default 1024, or fewer if the limit of open files is low).",
      valueName: "N"))
  var maxConnections: String?

  @Option(
    help: ArgumentHelp(
      "The part of the network where this node is, for example rack12. 'get' prefers peers of the same zone.",
      valueName: "NAME"))
  var zone: String?

  @OptionGroup var swarm: SwarmOptions

  /// The values from the command line.
  var given: [SettingKey: [String]] {
    var given: [SettingKey: [String]] = [:]
    given[.listen] = listen.map { [$0] }
    given[.uploadLimit] = uploadLimit.map { [$0] }
    given[.uploadLimitPerPeer] = uploadLimitPerPeer.map { [$0] }
    given[.zone] = zone.map { [$0] }
    given[.maxConnections] = maxConnections.map { [$0] }
    return given
  }

  /// Returns the settings in force now: the configuration file may change. `others` holds the options of one verb.
  func settings(_ others: [SettingKey: [String]]) throws(Failure) -> Settings {
    try swarm.settings(given.merging(others) { one, _ in one })
  }
}

extension Settings {
  /// Returns the settings from options, the environment of this process, and a file.
  static func inForce(options: [SettingKey: [String]], file: ConfigFile?) throws(Failure) -> Settings {
    do throws(SettingsError) {
      let settings = try Settings(options: options, variable: { Environment.variable($0) }, file: file)
      if settings.logLevel >= .warning { Surroundings.warnOfMisspeltVariables() }
      return settings
    } catch {
      throw Failure(error)
    }
  }

  /// Where to look for peers and be found. Nil: nowhere.
  var discovery: DiscoverySettings? {
    guard lan != .off else { return nil }
    return DiscoverySettings(multicast: lan == .on, localNodesFolder: try? StateFolders.ofUser().runtime)
  }

  /// Prints a warning if the limit of open files leaves no room for the wanted number of connections.
  /// - `granted`: the number of connections that fit.
  /// - `standard`: the number that is wanted if the settings have none. Nil: as many as fit.
  func warnOfOpenFiles(granted: Int, standard: Int? = nil) {
    guard let wanted = maxConnections ?? standard, wanted > granted else { return }
    Console.log(
      .warning,
      "max-connections \(wanted) (\(origin(of: .maxConnections))): the limit of \(OpenFileLimit.current) open files "
        + "has room for \(granted) connections from outside; raise it (ulimit -n, LimitNOFILE= of a service) "
        + "or lower max-connections")
  }

  func suites() throws(Failure) -> [CipherSuite] {
    let available = CipherSuite.available
    switch cipher {
    case .auto: return available
    case .chacha: return [.chaChaPoly]
    case .aes:
      guard available.contains(.aesGCM) else {
        throw Failure(
          Exit.usage, "\(origin(of: .cipher)): cipher aes: this machine has no AES instructions; leave it out")
      }
      return [.aesGCM, .chaChaPoly]
    }
  }

  func loadSwarmKey() throws(Failure) -> SwarmKey? {
    guard let swarmKey else { return nil }
    do throws(SecretFileError) {
      return try SwarmKey(file: swarmKey)
    } catch {
      throw Failure(error)
    }
  }
}
