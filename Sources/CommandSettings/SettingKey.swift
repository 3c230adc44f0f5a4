// The keys of the configuration file. Each is also an option and an environment variable of the same name.
import Storage

/// The keys, in the order in which they are printed.
package enum SettingKey: String, CaseIterable, Sendable {
  case listen
  case uploadLimit = "upload-limit"
  case downloadLimit = "download-limit"
  case uploadLimitPerPeer = "upload-limit-per-peer"
  case maxConnections = "max-connections"
  case allow
  case metrics
  case folders
  case hidden
  case followLinks = "follow-links"
  case exclude
  case jobs
  case workers
  case retries
  case chunkTimeout = "chunk-timeout"
  case wait
  case zone
  case lan
  case cipher
  case swarmKey = "swarm-key"
  case identity
  case logLevel = "log-level"

  package var option: String { "--" + rawValue }
  /// The environment variable, such as `P2PNODE_UPLOAD_LIMIT`.
  package var variable: String { "P2PNODE_" + rawValue.uppercased().map { $0 == "-" ? "_" : "\($0)" }.joined() }

  /// Whether the values of several lines or options are added to a list.
  package var isList: Bool { self == .allow || self == .exclude }
  /// Whether the value is a path. In the configuration file, a relative path starts at that file's folder.
  package var isPath: Bool { self == .swarmKey || self == .identity }
  /// Whether a running `serve` or `get` that uses the key takes a new value on SIGHUP, without a new start.
  package var isReloaded: Bool {
    switch self {
    case .uploadLimit, .uploadLimitPerPeer, .downloadLimit, .maxConnections, .allow, .logLevel: true
    default: false
    }
  }

  /// The default value, as a user would write it.
  package var standard: String {
    switch self {
    case .listen: "[::]:9800"
    case .uploadLimit, .uploadLimitPerPeer, .downloadLimit: "none"
    case .maxConnections: "auto"
    case .allow: "all"
    case .metrics: "off"
    case .folders: "top"
    case .hidden: "off"
    case .followLinks: "off"
    case .exclude: "none"
    case .jobs: "4"
    case .workers: "8"
    case .retries: "3"
    case .chunkTimeout: "30"
    case .wait: "none"
    case .zone: "none"
    case .lan: "on"
    case .cipher: "auto"
    case .swarmKey: "none"
    case .identity: "none"
    case .logLevel: "info"
    }
  }

  /// The form of a value, as the end of the sentence "'…' is not …".
  package var form: String {
    switch self {
    case .listen: "HOST:PORT or [IPV6]:PORT, such as 0.0.0.0:9800"
    case .uploadLimit, .uploadLimitPerPeer, .downloadLimit:
      "a rate of at least 1K (1,000 bytes a second), such as 10M or 1Gi, or none; the units are K, M, G, Ki, Mi and Gi"
    case .maxConnections: "a number from 1 to 1000000, or auto"
    case .allow: "a PeerID: that is 64 hexadecimal digits, as 'p2pnode whoami' prints them; or all"
    case .metrics: "an address of this machine, such as 127.0.0.1:9464 or 0.0.0.0:9464, or off"
    case .folders: "none, top or all"
    case .hidden, .followLinks: "on or off"
    case .exclude: "a pattern, such as *.log or /build, or none"
    case .jobs: "a number from 1 to 64"
    case .workers: "a number from 1 to 1024"
    case .retries: "a number from 0 to 1000"
    case .chunkTimeout: "a number of seconds from 0.1 to 86400"
    case .wait: "a time with its unit, such as 30s, 10m or 2h; or forever, or none"
    case .zone: "a name of 1 to 64 letters, digits, '-', '.' and '_', such as rack12 or eu-west-1a, or none"
    case .lan: "on, machine or off"
    case .cipher: "auto, aes or chacha"
    case .swarmKey, .identity: "the path of a file"
    case .logLevel: "error, warning, info or debug"
    }
  }

  /// Values to copy, if `form` is longer than that.
  package var examples: [String] {
    switch self {
    case .wait: ["10m", "forever"]
    case .uploadLimit, .uploadLimitPerPeer, .downloadLimit: ["10M", "1Gi"]
    case .listen: ["[::]:9800"]
    case .metrics: ["127.0.0.1:9464"]
    case .chunkTimeout: ["30"]
    case .zone: ["rack12"]
    case .folders, .cipher, .logLevel: words
    default: []
    }
  }

  /// The words among its values; the others are numbers, names and addresses.
  package var words: [String] {
    switch self {
    case .folders: ServingRules.Folders.allCases.map(\.rawValue)
    case .hidden, .followLinks: ["on", "off"]
    case .lan: Settings.LAN.allCases.map(\.rawValue)
    case .cipher: Cipher.allCases.map(\.rawValue)
    case .logLevel: LogLevel.allCases.map(\.rawValue)
    case .wait: ["forever", "none"]
    case .uploadLimit, .uploadLimitPerPeer, .downloadLimit: ["none"]
    case .maxConnections: ["auto"]
    case .allow: ["all"]
    case .metrics: ["off"]
    case .listen, .exclude, .jobs, .workers, .retries, .chunkTimeout, .zone, .swarmKey, .identity: []
    }
  }

  /// The meaning for the page of all keys: one paragraph without line breaks.
  package var meaning: String {
    switch self {
    case .listen:
      "Where serve accepts peers; port 0 is any free one. [::] is IPv4 as well. Where nobody asks for an address and this "
        + "one is taken, any free port. A get listens on any free port, unless its own --listen says otherwise."
    case .uploadLimit: "Bytes a second that may leave, in all: 10M, 1Gi; none is no limit."
    case .downloadLimit: "Bytes a second that get fetches, in all: 10M, 1Gi; none is no limit."
    case .uploadLimitPerPeer:
      "Bytes a second that may leave for one peer: 10M, 1Gi; none is no limit. All connections from one address count "
        + "together."
    case .maxConnections:
      "Peers that may be connected from outside at a time; auto is 1024, or fewer if the limit of open files is low."
    case .allow:
      "The PeerIDs that serve serves, joined by commas, or a line each; all is everybody. They come with get --identity."
    case .metrics:
      "Where serve and get answer GET /metrics, /ready and /live: an address such as 127.0.0.1:9464; off is nowhere. Anyone "
        + "who can reach it may read it. If it is in use, a get whose command line does not name it warns and goes on without."
    case .folders:
      "The folders that have an ID of their own when they are served: top is the served folder and each folder directly in "
        + "it, all is every folder, none is no folder."
    case .hidden: "Whether serve and id take in files and folders whose names begin with a dot."
    case .followLinks:
      "Whether serve and id take the target of a symbolic link as a file, wherever it is, in place of the link."
    case .exclude:
      "Patterns of files and folders that serve and id leave out, joined by commas, or a line each. A pattern without / is "
        + "about names: *.log. A pattern with / is about paths from the folder on: /build, or data/**/tmp."
    case .jobs: "Downloads that a get of several IDs runs at a time."
    case .workers: "Parallel workers of get, each with chunks of one peer in flight; fewer if there are fewer peers."
    case .retries: "Times that get tries a chunk again after each peer that has it failed."
    case .chunkTimeout: "Seconds that a chunk may take."
    case .wait:
      "How long get waits without progress for peers that have what it lacks: 30s, 10m, 2h or forever. none: it ends as soon "
        + "as its peers and retries are used up."
    case .zone:
      "The part of the network in which this node is, such as rack12: every peer hears it. A get prefers peers of the same "
        + "zone, and the gets of a zone together bring each chunk into it about once. none: the node announces no zone."
    case .lan:
      "Where peers are looked for and may find this node: on is this machine and its local networks, machine is this machine "
        + "alone, off is nowhere. In the environment off means machine: P2PNODE_LAN=off. To turn both off, use --no-lan or lan = off here."
    case .cipher: "auto is AES-256-GCM where the processor has it, else ChaCha20-Poly1305; aes; chacha."
    case .swarmKey: "The file of a private swarm's key, from this file's folder on; none is a public node."
    case .identity:
      "The file of this node's secret key, from this file's folder on, made if missing. none: serve has one in its state "
        + "folder, get a fresh one each time."
    case .logLevel:
      "How much is said on stderr: error, warning, info, or debug, which is also who connects, and every chunk of a get."
    }
  }
}

/// The origin of a setting's value.
package enum Origin: Hashable, Sendable, CustomStringConvertible {
  case standard
  case file(path: String, line: Int)
  case environment(variable: String)
  case commandLine(option: String)

  package var description: String {
    switch self {
    case .standard: "default"
    case .file(let path, let line): "\(path):\(line)"
    case .environment(let variable): variable
    case .commandLine(let option): option
    }
  }
}
