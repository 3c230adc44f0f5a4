// The public face of the library: a node and the types of its interface, under one module name.
//
// `Exports.swift` makes the members of these types visible.
import Content
import PeerNode
import Posix
import Sodium
import Storage
import Transfer
import Wire

// MARK: A node

/// One identity, one port and one set of threads for any number of served folders and downloads.
public typealias Node = PeerNode.Node
/// A served folder of a node.
public typealias FolderShare = PeerNode.FolderShare

// MARK: Fetching

/// Fetches files: `Downloader(storage:client:)`, then `downloadFile(_:)` or `start(_:)`.
public typealias Downloader = PeerNode.Downloader
/// The peers that a downloader asks, and its own identity.
public typealias PeerClient = PeerNode.PeerClient
/// A peer to ask: `[PEERID@]HOST[:PORT]`.
public typealias PeerSource = PeerNode.PeerSource
/// The place where a downloader writes a file.
public typealias DownloadTarget = PeerNode.DownloadTarget
/// What a download offers to other peers, and for how long.
public typealias Sharing = PeerNode.Sharing
/// Options for a download of a folder: which part is fetched, and whether an existing output is updated.
public typealias FolderOptions = PeerNode.FolderOptions
/// Which paths of a folder are fetched.
public typealias FolderFilter = Content.FolderFilter
/// What a download of a folder would do.
public typealias FolderPlan = Storage.FolderPlan
/// A running download.
public typealias Download = PeerNode.Download
/// A report of a running download.
public typealias DownloadUpdate = PeerNode.DownloadUpdate
/// Files of a folder that are complete while other files are still fetched.
public typealias CompletedFiles = PeerNode.CompletedFiles
/// A complete file of a folder whose download may still run.
public typealias CompletedFile = PeerNode.CompletedFile
/// How much of a folder is complete.
public typealias FolderProgress = Transfer.FolderProgress
/// The result of a finished download.
public typealias DownloadResult = PeerNode.DownloadResult
/// Why a download did not finish.
public typealias DownloadError = PeerNode.DownloadError
/// How a connection ended.
public typealias ConnectionEnd = PeerNode.ConnectionEnd
/// Settings of the download engine: workers, retries, timeouts and others.
public typealias DownloadSettings = Transfer.DownloadSettings
/// A value that a setting cannot have.
public typealias SettingFault = Transfer.SettingFault
/// Why the download engine ended a download.
public typealias DownloadFailure = Transfer.DownloadFailure
/// How long a download waits for peers.
public typealias PeerPatience = Transfer.PeerPatience
/// The state of a download that waits for peers.
public typealias PeerWait = Transfer.PeerWait
/// An event of the download engine, as a log line shows it.
public typealias DownloadReport = Transfer.DownloadReport
/// Byte counts by the zone of the peer.
public typealias ZoneBytes = Transfer.ZoneBytes
/// The name of a zone.
public typealias ZoneName = Wire.ZoneName
/// A snapshot of a running download.
public typealias DownloadProgress = Transfer.DownloadProgress
/// A snapshot of one peer of a running download.
public typealias PeerProgress = Transfer.PeerProgress
/// The statistics of a download.
public typealias DownloadStats = Transfer.DownloadStats
/// The statistics of one peer of a download.
public typealias PeerDownloadStats = Transfer.PeerDownloadStats
/// Where the time of a peer's answers went.
public typealias AnswerTimes = Transfer.AnswerTimes
/// What a worker waited for, and how long.
public typealias WorkerWaits = Transfer.WorkerWaits
/// What a worker may wait for.
public typealias WorkerWait = Transfer.WorkerWait
/// What limited a download, derived from its statistics.
public typealias DownloadExplanation = Transfer.DownloadExplanation
/// One thing that limited a download.
public typealias DownloadLimit = Transfer.DownloadLimit
/// An address and its outcome.
public typealias AddressReport = Transfer.AddressReport
/// The outcome of an address: pending, failed, connected or lost.
public typealias AddressOutcome = Transfer.AddressOutcome
/// An IP address and a port, as the download engine uses them.
public typealias PeerAddress = Transfer.PeerAddress
/// Why a chunk is tried again.
public typealias RetryReason = Transfer.RetryReason
/// Why a peer loses score or is banned.
public typealias PeerFailure = Transfer.PeerFailure
/// Why a peer no longer serves.
public typealias PeerLossReason = Transfer.PeerLossReason
/// A point in time of a download.
public typealias Instant = Transfer.Instant
/// The result of a search for peers that the user did not name.
public typealias DiscoverySummary = PeerNode.DiscoverySummary
/// Why an offered file cannot be read.
public typealias StoredFileError = Storage.StoredFileError
/// Why a download cannot be written.
public typealias PartFileError = Storage.PartFileError
/// The kind of content that an ID names: a file, a folder, or the contents of a folder.
public typealias ContentKind = Content.ContentKind
/// The number of a page of chunk hashes, from 0.
public typealias PageIndex = Content.PageIndex
/// The rule that the listing of a folder breaks.
public typealias FolderListingFault = Content.FolderListingFault
/// Why a folder cannot be updated.
public typealias FolderUpdateFault = Storage.FolderUpdateFault
/// A path, split into folder and name.
public typealias PathParts = Storage.PathParts
/// The order in which chunks are fetched.
public typealias ChunkOrder = Transfer.ChunkOrder
/// The bytes of a download as an async sequence.
public typealias DownloadBytes = PeerNode.DownloadBytes

// MARK: Serving

/// Serves a folder.
public typealias Server = PeerNode.Server
/// Why a server cannot start.
public typealias ServerError = PeerNode.ServerError
/// Why the hashes of served files cannot be stored.
public typealias HashStoreError = Storage.HashStoreError
/// The counters and current numbers of a node.
public typealias NodeFigures = PeerNode.NodeFigures
/// The status of a server at one moment.
public typealias ServerStatus = PeerNode.ServerStatus
/// Reports which peer fetches which content, and when the peer has all of it.
public typealias FetchWatch = PeerNode.FetchWatch
/// An event of a node: a peer connected, opened a file, left, and so on.
public typealias NodeEvent = PeerNode.NodeEvent
/// The events of a node as an async sequence.
public typealias NodeEvents = PeerNode.NodeEvents
/// An event of a served folder: a file was added, skipped or renamed, hashing goes on, and so on.
public typealias CatalogueEvent = Storage.CatalogueEvent
/// Rules for which files of a folder are served, and which folders have an ID.
public typealias ServingRules = Storage.ServingRules
/// A pattern of paths.
public typealias PathPattern = Content.PathPattern
/// A served folder that has an ID.
public typealias ListedFolder = Storage.ListedFolder
/// A listing of a served folder.
public typealias ServedListing = Storage.ServedListing
/// How many entries a listing leaves out, by reason.
public typealias LeftOutCounts = Storage.LeftOutCounts
/// A served file.
public typealias CatalogueEntry = Storage.CatalogueEntry

// MARK: Both

/// The settings of a node.
public typealias NodeConfiguration = PeerNode.NodeConfiguration
/// The places where a node looks for peers and can be found.
public typealias DiscoverySettings = PeerNode.DiscoverySettings
/// A node's long-term key.
public typealias StaticIdentity = Wire.StaticIdentity
/// The key of a private swarm.
public typealias SwarmKey = Wire.SwarmKey
/// Why 32 bytes are not a swarm key.
public typealias SwarmKeyFault = Wire.SwarmKeyFault
/// The cipher suite of a connection.
public typealias CipherSuite = Wire.CipherSuite
/// 32 secret bytes, wiped after use.
public typealias SecretKey = Sodium.SecretKey
/// A node's public key.
public typealias PeerID = Wire.PeerID
/// The ID of a content: a hash of its kind, length and root.
public typealias FileID = Content.FileID
/// A fileID with a name, a length and peers, in one word.
public typealias FileLink = Wire.FileLink
/// The number of a chunk, from 0.
public typealias ChunkIndex = Content.ChunkIndex
/// A host name or address, and a port.
public typealias HostPort = Posix.HostPort
/// An IP address and a port.
public typealias Endpoint = Posix.Endpoint
/// A system call's error.
public typealias Errno = Posix.Errno
/// Why a text is not a link.
public typealias FileLinkFault = Wire.FileLinkFault
/// Why the other end closed a connection.
public typealias CloseCode = Wire.CloseCode
/// Why a handshake failed.
public typealias HandshakeError = Wire.HandshakeError
/// Why a key file cannot be used.
public typealias SecretFileError = Storage.SecretFileError
/// Why a host name has no address.
public typealias ResolutionFailure = Posix.ResolutionFailure

/// Makes names from other peers safe for a terminal or a log (`escapedForTerminal`), or as file names (`sanitised`).
public typealias SuggestedName = Content.SuggestedName

/// Hashes a file on all cores; blocks until it is done.
/// - Throws: why the file cannot be read, or has no fileID.
@available(*, noasync, message: "it blocks until the file is hashed; use 'await fileID(of:)'")
package func fileID(of path: String) throws(SkipReason) -> FileID { try hashFile(path).fileID }

/// Hashes a file on all cores. If the task is cancelled, the function throws `.stopped`.
/// - Throws: why the file cannot be read, or has no fileID.
public func fileID(of path: String) async throws(SkipReason) -> FileID {
  try await Posix.Thread.stoppable("p2p-hash") { shouldStop throws(SkipReason) in
    try hashFile(path, shouldStop: shouldStop).fileID
  }
}

/// Why a file has no fileID.
public typealias SkipReason = Storage.SkipReason
