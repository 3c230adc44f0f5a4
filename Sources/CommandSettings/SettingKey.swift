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
      "The address where serve accepts peers; port 0 is any free port. [::] includes IPv4. If this is not set and the "
        + "default port is in use, serve takes any free port. get ignores this setting: it listens on any free port, or as "
        + "its own --listen says."
    case .uploadLimit: "Upload limit in bytes per second, for example 10M or 1Gi; none is no limit."
    case .downloadLimit: "Download limit of get in bytes per second, for example 10M or 1Gi; none is no limit."
    case .uploadLimitPerPeer:
      "Upload limit for each peer in bytes per second, for example 10M or 1Gi; none is no limit. All connections from "
        + "one address share the limit."
    case .maxConnections:
      "The most connections to accept at a time; auto: 1024, or fewer if few files can be open."
    case .allow:
      "The PeerIDs of the peers that serve serves, separated by commas, or one a line; all is every peer. Those peers use "
        + "get --identity."
    case .metrics:
      "The address where serve and get answer GET /metrics, /ready and /live, for example 127.0.0.1:9464; off is none. "
        + "Anyone who can reach the address can read them. If the address is in use, a get without --metrics prints a "
        + "warning and continues without metrics."
    case .folders:
      "The folders to which serve gives an ID: top is the served folder and each folder directly in it, all is every "
        + "folder, none is no folder."
    case .hidden: "Whether serve and id include hidden files and folders (names that begin with a dot)."
    case .followLinks:
      "Whether serve and id follow symbolic links: the target, wherever it is, counts as a file."
    case .exclude:
      "Patterns of files and folders that serve and id leave out, separated by commas, or one a line. A pattern without / "
        + "matches names: *.log. A pattern with / matches the path in the folder: /build, or data/**/tmp."
    case .jobs: "The most IDs that one get fetches at a time."
    case .workers:
      "Number of parallel workers of get, each with one peer at a time; never more than peers."
    case .retries: "Number of retries of a chunk after every peer that has it failed."
    case .chunkTimeout: "Time limit for one chunk, in seconds."
    case .wait:
      "How long get waits for peers while there is no progress: 30s, 10m, 2h or forever. With none, it ends when no peer "
        + "or no retry is left."
    case .zone:
      "The part of the network where this node is, for example rack12. The node tells every peer its zone. get prefers peers "
        + "of the same zone, and the nodes of a zone together fetch each chunk from outside about once. With none, the node "
        + "announces no zone."
    case .lan:
      "Where the node looks for peers and lets them find it: on is this machine and its local networks, machine is only this "
        + "machine, off is nowhere. In the environment P2PNODE_LAN=off means machine. To turn off both, use --no-lan or "
        + "lan = off in this file."
    case .cipher:
      "aes is AES-256-GCM, chacha is ChaCha20-Poly1305, auto is aes where the processor has it, else chacha."
    case .swarmKey:
      "The file with the key of a private swarm; a relative path starts at the folder of this file. none is a public node."
    case .identity:
      "The file with this node's secret key, created if it does not exist; a relative path starts at the folder of this "
        + "file. With none, serve uses a key in its configuration folder, and get uses a new key each time."
    case .logLevel:
      "The least important lines on stderr: error, warning, info, or debug (every peer and chunk)."
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
