// The fetching side as a library: one file from many peers, into one place, with one call.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// Where the file goes.
public struct DownloadTarget: Hashable, Sendable {
  /// Made by the caller; it must exist.
  public var folder: String
  /// One component; nil: the suggested name, made harmless.
  public var name: String?
  /// A suggestion of whoever named the file, made harmless before it is used; comes before those of peers.
  public var suggestedName: String?
  /// Whether the output may replace a file that has `name`. A suggested name replaces nothing: it comes from a stranger,
  /// who could choose which of the user's files to overwrite.
  public var replaces: Bool
  /// Not a file at all: verified bytes leave in order through standard output.
  let isStream: Bool

  /// Whether the output may replace a file.
  var mayReplace: Bool { replaces && name != nil }

  /// A place in a folder; without a name the file gets the suggested one.
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

/// How a download gives to others what it has got so far. Of a stream nothing can be given.
public struct Sharing: Hashable, Sendable {
  /// For how long.
  public enum Stay: Hashable, Sendable {
    /// So long after the file has its name.
    case `for`(Duration)
    /// Until `cancel`.
    case untilCancelled
  }

  /// Where others may dial; nil: nowhere, and only those give and take that are dialled.
  public var listen: SocketAddress?
  /// How long the finished file stays offered; nil: the download ends with it.
  public var stay: Stay?

  /// Without an address nobody can dial in.
  public init(listen: SocketAddress? = nil, stay: Stay? = nil) {
    self.listen = listen
    self.stay = stay
  }
}

/// What a running download says. Names are as peers gave them: escape before printing.
public enum DownloadUpdate: Sendable {
  /// The manifest is verified and the part file is there.
  case prepared(name: String, length: UInt64)
  /// What the engine decided or saw.
  case report(DownloadReport)
  /// A few times a second.
  case progress(DownloadProgress)
  /// The name has no addresses yet. It is looked up again while the download runs; said once.
  case unresolved(PeerSource, String)
  /// What a name stands for, also later: only those addresses that it did not stand for before.
  case resolved(PeerSource, [SocketAddress])
  /// What looking for peers that nobody named came to, before the download stopped waiting for it.
  case searched(DiscoverySummary)
  /// A dial failed, or a connection ended otherwise than by our own wish.
  case peerEnded(SocketAddress, PeerID?, ConnectionEnd)
  /// The output is there already, and it is the right file: nothing is fetched. Comes after `prepared`.
  case found(path: String)
  /// Chunks of an earlier download that were right.
  case resumed(chunks: Int)
  /// Others may dial there. Comes first.
  case listening(SocketAddress)
  /// The file has its name, and stays offered. `cancel` ends that, and the call then returns as if it had not stayed.
  case staying(DownloadResult)
  /// The file that stayed offered is no longer what it was.
  case unreadable(StoredFileError)
}

/// A finished download.
public struct DownloadResult: Sendable {
  /// The numbers of the whole download.
  public internal(set) var stats: DownloadStats
  /// Where it is; nil where it went to standard output.
  public let path: String?
  /// The name of the file, made harmless.
  public let name: String
  /// Whether the right file was there already, so that nothing was fetched.
  public let wasFound: Bool
}

/// A download that did not finish. What it had verified stays in the part file, for a later one.
public enum DownloadError: Error, Sendable {
  /// The engine gave up, or was cancelled: why, the numbers so far, and the part file that is kept.
  case failed(DownloadFailure, DownloadStats, part: String?)
  /// The output cannot be made or written.
  case storage(PartFileError)
  /// The file of this ID has another length, in bytes, than was said: who said it is wrong, and no peer.
  case otherLength(expected: UInt64, actual: UInt64)
  /// The address cannot be listened on.
  case listen(SocketAddress, Errno)
  /// The system refuses what a node needs: descriptors, memory.
  case system(Errno)
}

/// Fetches files. Each download has its own threads and connections while it runs.
public final class Downloader: Sendable {
  /// Where files go unless a call says otherwise.
  public let storage: DownloadTarget
  /// Who fetches, and from whom unless a call says otherwise.
  public let client: PeerClient
  /// Workers, retries, timeouts.
  public let settings: DownloadSettings
  private struct State {
    var running: [Mailbox<DownloadMessage>] = []
    /// `cancel` came while nothing ran: it meets the next one, which was about to start.
    var isCancelled = false
  }
  private let state = Mutex(State())
  private let resolve: Resolver

  /// - `storage`: where files go: a folder, a file, or standard output.
  /// - `client`: who fetches, and from whom.
  public convenience init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings
  ) {
    self.init(storage: storage, client: client, settings: settings) { host throws(ResolutionFailure) in
      try host.resolve()
    }
  }

  /// - `maxWorkers`: chunks fetched in parallel; from 1.
  /// - `maxRetries`: times that a chunk is tried again after each peer that has it failed.
  /// - `chunkTimeout`: for one chunk.
  public convenience init(
    storage: DownloadTarget, client: PeerClient, maxWorkers: Int = 8, maxRetries: Int = 3,
    chunkTimeout: Duration = .seconds(30)
  ) {
    var settings = DownloadSettings()
    settings.maxWorkers = maxWorkers
    settings.maxRetries = maxRetries
    settings.chunkTimeout = chunkTimeout
    self.init(storage: storage, client: client, settings: settings)
  }

  /// A downloader that is told with each file where to put it and whom to ask.
  /// - `sharing`: nil: others get nothing.
  public convenience init(
    _ configuration: NodeConfiguration, settings: DownloadSettings = DownloadSettings(), sharing: Sharing? = nil
  ) {
    self.init(
      storage: DownloadTarget(folder: "."), client: PeerClient(configuration: configuration, sharing: sharing),
      settings: settings)
  }

  /// - `resolve`: stands in for the system's resolver.
  init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings, resolve: @escaping Resolver
  ) {
    self.storage = storage
    self.client = client
    self.settings = settings
    self.resolve = resolve
  }

  /// Fetches one file; blocks until it is there, or cannot be had. Updates come on the calling thread.
  ///
  /// - `length`: what somebody said of it, in bytes, to be checked before anything is fetched; nil: nothing.
  public func downloadFile(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    onUpdate: @escaping (DownloadUpdate) -> Void = { _ in }
  ) throws(DownloadError) -> DownloadResult {
    try run(fileID, length: length, from: peers, to: target, began: { _ in }, onUpdate: onUpdate)
  }

  /// - `began`: told once where the download can be cancelled, before it has any effect.
  func run(
    _ fileID: FileID, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget,
    began: (Mailbox<DownloadMessage>) -> Void, onUpdate: @escaping (DownloadUpdate) -> Void
  ) throws(DownloadError) -> DownloadResult {
    let control: Mailbox<DownloadMessage>
    // Its own, so that nothing of another download is ever taken for this one's.
    do throws(Errno) { control = try Mailbox() } catch { throw .system(error) }
    let run = try DownloadRun(
      fileID, length: length, peers: peers, target: target, configuration: client.configuration, settings: settings,
      sharing: client.sharing, resolve: resolve, control: control, onUpdate: onUpdate)
    began(control)
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
