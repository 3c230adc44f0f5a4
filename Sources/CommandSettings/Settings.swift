// The settings in force. For each key, the command line comes before the environment, the file and the default.
import Content
import Posix
import Storage
import Wire

/// All settings, combined and checked. Reads no file or variable itself.
package struct Settings: Sendable {
  /// The values of one key as they were written, with their origins.
  package struct Choice: Equatable, Sendable {
    package let texts: [String]
    /// The origin of each text.
    package let origins: [Origin]
  }

  /// Where to look for peers and be found.
  package enum LAN: String, CaseIterable, Sendable { case on, machine, off }

  package private(set) var choices: [SettingKey: Choice] = [:]
  package private(set) var listen = HostPort(host: "::", port: ProtocolDefaults.port)
  package private(set) var uploadLimit: UInt64?
  package private(set) var downloadLimit: UInt64?
  /// The limit for each address.
  package private(set) var uploadLimitPerPeer: UInt64?
  /// Nil: as many as the limit of open files allows, up to the standard.
  package private(set) var maxConnections: Int?
  /// Nil: every peer is admitted.
  package private(set) var allow: Set<PeerID>?
  /// Nil: the metrics pages are off.
  package private(set) var metrics: Endpoint?
  /// Which files of a folder are served.
  package private(set) var rules = ServingRules()
  /// The number of downloads that run at a time. A connection carries at most 64 contents.
  package private(set) var jobs = 4
  package private(set) var workers = 8
  package private(set) var retries = 3
  package private(set) var chunkTimeout = Duration.seconds(30)
  /// How long a download waits for peers. Nil: it does not wait.
  package private(set) var wait: Stay?
  /// Nil: no zone is announced.
  package private(set) var zone: ZoneName?
  package private(set) var lan = LAN.on
  package private(set) var cipher = Cipher.auto
  package private(set) var swarmKey: String?
  package private(set) var identity: String?
  package private(set) var logLevel = LogLevel.info

  /// - `options`: the values from the command line, by key.
  /// - `variable`: returns a variable of the environment.
  package init(options: [SettingKey: [String]], variable: (String) -> String?, file: ConfigFile?) throws(SettingsError)
  {
    if let file { try Settings.check(file) }
    for key in SettingKey.allCases {
      guard let choice = Settings.choice(of: key, options, variable, file) else { continue }
      choices[key] = choice
    }
    for (key, choice) in choices {
      for (text, origin) in zip(choice.texts, choice.origins) { try take(key, text, origin) }
    }
  }

  private init() {}

  /// Checks all values of the file, even those that the environment or command line overrides, so that a mistake is
  /// reported before the value is used.
  private static func check(_ file: ConfigFile) throws(SettingsError) {
    var settings = Settings()
    for key in SettingKey.allCases {
      for entry in file.entries[key] ?? [] {
        try settings.take(key, entry.value, .file(path: file.path, line: entry.line))
      }
    }
  }

  private static func choice(
    of key: SettingKey, _ options: [SettingKey: [String]], _ variable: (String) -> String?, _ file: ConfigFile?
  ) -> Choice? {
    if let texts = options[key], !texts.isEmpty {
      return Choice(texts: texts, origins: texts.map { _ in .commandLine(option: key.option) })
    }
    if let text = variable(key.variable) {
      return Choice(texts: [text], origins: [.environment(variable: key.variable)])
    }
    guard let file, let entries = file.entries[key] else { return nil }
    return Choice(texts: entries.map(\.value), origins: entries.map { .file(path: file.path, line: $0.line) })
  }

  /// Returns the origin of a key's value.
  package func origin(of key: SettingKey) -> Origin { choices[key]?.origins.first ?? .standard }

  package func isSet(_ key: SettingKey) -> Bool { choices[key] != nil }

  /// Returns a key's value as it could stand in a file.
  package func text(of key: SettingKey) -> String {
    switch key {
    case .swarmKey: swarmKey ?? key.standard
    case .identity: identity ?? key.standard
    case .lan: lan.rawValue
    default: choices[key]?.texts.joined(separator: ",") ?? key.standard
    }
  }

  /// Returns these settings with the new values of the keys that need no new start.
  package func taking(over new: Settings) -> Settings {
    var taken = self
    for key in SettingKey.allCases where key.isReloaded { taken.choices[key] = new.choices[key] }
    (taken.uploadLimit, taken.downloadLimit) = (new.uploadLimit, new.downloadLimit)
    taken.uploadLimitPerPeer = new.uploadLimitPerPeer
    (taken.maxConnections, taken.allow, taken.logLevel) = (new.maxConnections, new.allow, new.logLevel)
    return taken
  }

  // MARK: Values

  private mutating func take(_ key: SettingKey, _ text: String, _ origin: Origin) throws(SettingsError) {
    func wanted<T>(_ value: T?) throws(SettingsError) -> T {
      if let value { return value }
      let question = Misspelling.question(about: text, among: key.words)
      throw SettingsError(
        .usage,
        "\(Settings.place(key, origin)) '\(SuggestedName.escapedForTerminal(text))' is not \(key.form)\(question)")
    }
    switch key {
    case .listen: listen = try wanted(HostPort(parsing: text))
    case .uploadLimit: uploadLimit = text == "none" ? nil : try wanted(Settings.rate(text))
    case .downloadLimit: downloadLimit = text == "none" ? nil : try wanted(Settings.rate(text))
    case .uploadLimitPerPeer: uploadLimitPerPeer = text == "none" ? nil : try wanted(Settings.rate(text))
    case .maxConnections:
      maxConnections = text == "auto" ? nil : try wanted(Settings.number(text, 1...1_000_000))
    case .allow: try takeAllowed(text, origin)
    case .metrics:
      metrics = text == "off" ? nil : try wanted(HostPort(parsing: text)?.address)
    case .folders: rules.folders = try wanted(ServingRules.Folders(rawValue: text))
    case .hidden: rules.includesHidden = try wanted(Settings.switches[text])
    case .followLinks: rules.followsLinks = try wanted(Settings.switches[text])
    case .exclude:
      if text == "none" {
        rules.excluded = []
      } else {
        for text in text.split(separator: ",") { rules.excluded.append(try wanted(PathPattern(String(text)))) }
      }
    case .jobs: jobs = try wanted(Settings.number(text, 1...64))
    case .workers: workers = try wanted(Settings.number(text, 1...1024))
    case .retries: retries = try wanted(Settings.number(text, 0...1000))
    case .chunkTimeout:
      let seconds = try wanted(Double(text).flatMap { $0 >= 0.1 && $0 <= 86_400 ? $0 : nil })
      chunkTimeout = .nanoseconds(Int64(seconds * 1e9))
    case .wait: wait = text == "none" ? nil : try wanted(Stay(argument: text))
    case .zone: zone = text == "none" ? nil : try wanted(ZoneName(text))
    case .lan:
      // In the environment, "off" has always kept discovery on this machine.
      if case .environment = origin, text == "off" { lan = .machine } else { lan = try wanted(LAN(rawValue: text)) }
    case .cipher: cipher = try wanted(Cipher(rawValue: text))
    case .swarmKey: swarmKey = try path(text, origin)
    case .identity: identity = try path(text, origin)
    case .logLevel: logLevel = try wanted(LogLevel(rawValue: text))
    }
  }

  private mutating func takeAllowed(_ text: String, _ origin: Origin) throws(SettingsError) {
    if text == "all" {
      allow = nil
      return
    }
    var allowed = allow ?? []
    for text in text.split(separator: ",", omittingEmptySubsequences: false) {
      var digits = text.drop { $0 == " " || $0 == "\t" }
      while digits.last == " " || digits.last == "\t" { digits.removeLast() }
      guard let peer = PeerID(hex: digits) else {
        throw SettingsError(
          .usage,
          "\(Settings.place(.allow, origin)) '\(SuggestedName.escapedForTerminal(String(text)))' is not \(SettingKey.allow.form)"
        )
      }
      allowed.insert(peer)
    }
    allow = allowed
  }

  private static let switches = ["on": true, "off": false]

  /// Returns a path. A relative path in the file starts at the file's folder. Nil: the value is "none".
  private func path(_ text: String, _ origin: Origin) throws(SettingsError) -> String? {
    if text == "none" { return nil }
    guard case .file(let file, _) = origin else { return text }
    return text.utf8.first == UInt8(ascii: "/") ? text : PathParts(file).folder + "/" + text
  }

  /// Returns bytes a second, at least 1,000. At a lower rate, no piece would arrive before its timeout.
  private static func rate(_ text: String) -> UInt64? {
    ByteSize(argument: text).flatMap { $0.bytes < 1_000 ? nil : $0.bytes }
  }

  private static func number(_ text: String, _ range: ClosedRange<Int>) -> Int? {
    Int(text).flatMap { range.contains($0) ? $0 : nil }
  }

  /// Returns the place of a value for a message.
  private static func place(_ key: SettingKey, _ origin: Origin) -> String {
    switch origin {
    case .file: "\(origin): \(key.rawValue)"
    default: "\(origin)"
    }
  }
}
