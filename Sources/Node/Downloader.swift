// The fetching side as a library: one file from many peers, into one place, with one call.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// A peer to ask, as a person names it: `[PEERID@]HOST:PORT`. A host stands for all its addresses.
public struct PeerSource: Hashable, Sendable, CustomStringConvertible {
  public let host: HostPort
  /// Who must answer there; nil: anybody.
  public let pinned: PeerID?

  public init(host: HostPort, pinned: PeerID? = nil) {
    self.host = host
    self.pinned = pinned
  }

  public var description: String { pinned.map { "\($0.hex)@\(host)" } ?? "\(host)" }
}

/// Where the file goes.
public struct DownloadTarget: Hashable, Sendable {
  public var folder: String
  /// One component; nil: what the first peer suggests, made harmless.
  public var name: String?
  /// Whether a file of that name may be replaced.
  public var replaces: Bool
  /// Not a file at all: verified bytes leave in order through standard output.
  let isStream: Bool

  public init(folder: String, name: String? = nil, replaces: Bool = false) {
    self.init(folder: folder, name: name, replaces: replaces, isStream: false)
  }

  /// The process's standard output, in order, through a bounded window. Nothing is kept of a download that fails.
  public static let standardOutput = DownloadTarget(folder: "", name: nil, replaces: false, isStream: true)

  private init(folder: String, name: String?, replaces: Bool, isStream: Bool) {
    self.folder = folder
    self.name = name
    self.replaces = replaces
    self.isStream = isStream
  }
}

/// What a running download says. Names are as peers gave them: escape before printing.
public enum DownloadUpdate: Sendable {
  /// The manifest is verified and the part file is there.
  case prepared(name: String, length: UInt64)
  case report(DownloadReport)
  /// A few times a second.
  case progress(DownloadProgress)
  case unresolved(PeerSource, String)
  /// A dial failed, or a connection ended otherwise than by our own wish.
  case peerEnded(SocketAddress, PeerID?, ConnectionEnd)
  /// The output is there already, and it is the right file: nothing is fetched. Comes after `prepared`.
  case found(path: String)
  /// Chunks of an earlier download that were right.
  case resumed(chunks: Int)
}

/// A finished download.
public struct DownloadResult: Sendable {
  public let stats: DownloadStats
  /// Where it is; nil where it went to standard output.
  public let path: String?
  public let name: String
  /// Whether the right file was there already, so that nothing was fetched.
  public let wasFound: Bool
}

/// A download that did not finish. What it had verified stays in the part file, for a later one.
public enum DownloadError: Error, Sendable {
  case failed(DownloadFailure, DownloadStats, part: String?)
  case storage(PartFileError)
  /// The system refuses what a node needs: descriptors, memory.
  case system(Errno)
}

/// Fetches files. Each download has its own threads and connections while it runs.
public final class Downloader: Sendable {
  private let configuration: NodeConfiguration
  private let settings: DownloadSettings
  private struct State {
    var running: [Mailbox<DownloadMessage>] = []
    /// `cancel` came while nothing ran: it meets the next one, which was about to start.
    var isCancelled = false
  }
  private let state = Mutex(State())

  public init(_ configuration: NodeConfiguration, settings: DownloadSettings = DownloadSettings()) throws(Errno) {
    self.configuration = configuration
    self.settings = settings
  }

  /// Fetches one file; blocks until it is there, or cannot be had. Updates come on the calling thread.
  public func downloadFile(
    _ fileID: FileID, from peers: [PeerSource], to target: DownloadTarget,
    onUpdate: @escaping (DownloadUpdate) -> Void = { _ in }
  ) throws(DownloadError) -> DownloadResult {
    let control: Mailbox<DownloadMessage>
    let run: DownloadRun
    do throws(Errno) {
      control = try Mailbox()  // its own, so that nothing of another download is ever taken for this one's
      run = try DownloadRun(
        fileID, peers: peers, target: target, configuration: configuration, settings: settings, control: control,
        onUpdate: onUpdate)
    } catch {
      throw .system(error)
    }
    let isCancelled = state.withLock { state in
      defer { state.isCancelled = false }
      state.running.append(control)
      return state.isCancelled
    }
    defer { state.withLock { $0.running.removeAll { $0 === control } } }
    if isCancelled { control.send(.cancelled) }
    return try run.run()
  }

  /// Ends the downloads that run, or where none does the next one, from any thread: they throw `.failed(.cancelled, …)`.
  public func cancel() {
    let running = state.withLock { state in
      state.isCancelled = state.running.isEmpty
      return state.running
    }
    for control in running { control.send(.cancelled) }
  }
}
