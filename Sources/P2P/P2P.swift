// What other programs import: a node, and the types that it speaks in, under one name.
//
// `Exports.swift` makes their members visible.
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
/// Whom a downloader asks, and as whom.
public typealias PeerClient = PeerNode.PeerClient
/// A peer to ask: `[PEERID@]HOST[:PORT]`.
public typealias PeerSource = PeerNode.PeerSource
/// Where a file goes: the storage of a downloader.
public typealias DownloadTarget = PeerNode.DownloadTarget
/// What others get of a download.
public typealias Sharing = PeerNode.Sharing
/// How the ID of a folder is treated: which part is fetched, and whether an output that is there is updated.
public typealias FolderOptions = PeerNode.FolderOptions
/// Which paths of a folder are fetched.
public typealias FolderFilter = Content.FolderFilter
/// What a download of a folder would do.
public typealias FolderPlan = Storage.FolderPlan
/// A download that runs.
public typealias Download = PeerNode.Download
/// What a running download says.
public typealias DownloadUpdate = PeerNode.DownloadUpdate
/// Files of a folder that are complete while others are fetched.
public typealias CompletedFiles = PeerNode.CompletedFiles
/// One of them.
public typealias CompletedFile = PeerNode.CompletedFile
/// How much of a folder is there.
public typealias FolderProgress = Transfer.FolderProgress
/// A finished download.
public typealias DownloadResult = PeerNode.DownloadResult
/// Why a download did not finish.
public typealias DownloadError = PeerNode.DownloadError
/// How a connection ended.
public typealias ConnectionEnd = PeerNode.ConnectionEnd
/// Workers, retries, timeouts, and what else the engine can be told.
public typealias DownloadSettings = Transfer.DownloadSettings
/// A value that a setting cannot have.
public typealias SettingFault = Transfer.SettingFault
/// Why the engine gave up.
public typealias DownloadFailure = Transfer.DownloadFailure
/// How long a download waits for peers.
public typealias PeerPatience = Transfer.PeerPatience
/// A download that waits for peers.
public typealias PeerWait = Transfer.PeerWait
/// What the engine decided or saw.
public typealias DownloadReport = Transfer.DownloadReport
/// Bytes by the zones of the peers.
public typealias ZoneBytes = Transfer.ZoneBytes
/// The name of a zone.
public typealias ZoneName = Wire.ZoneName
/// A look at a download that runs.
public typealias DownloadProgress = Transfer.DownloadProgress
/// A look at one of its peers.
public typealias PeerProgress = Transfer.PeerProgress
/// What a download did.
public typealias DownloadStats = Transfer.DownloadStats
/// What one peer gave.
public typealias PeerDownloadStats = Transfer.PeerDownloadStats
/// Where the time of a peer's answers went.
public typealias AnswerTimes = Transfer.AnswerTimes
/// What a worker waited for, and how long.
public typealias WorkerWaits = Transfer.WorkerWaits
/// What a worker may wait for.
public typealias WorkerWait = Transfer.WorkerWait
/// What limited a download, read off its statistics.
public typealias DownloadExplanation = Transfer.DownloadExplanation
/// One thing that limited a download.
public typealias DownloadLimit = Transfer.DownloadLimit
/// What became of an address.
public typealias AddressReport = Transfer.AddressReport
/// How an address ended up.
public typealias AddressOutcome = Transfer.AddressOutcome
/// An IP address and a port, as the engine counts them.
public typealias PeerAddress = Transfer.PeerAddress
/// Why a chunk is tried again.
public typealias RetryReason = Transfer.RetryReason
/// What counts as a peer's failure.
public typealias PeerFailure = Transfer.PeerFailure
/// Why a peer is lost.
public typealias PeerLossReason = Transfer.PeerLossReason
/// A point in time of a download.
public typealias Instant = Transfer.Instant
/// What looking for peers that nobody named came to.
public typealias DiscoverySummary = PeerNode.DiscoverySummary
/// Why a file that was offered cannot be read.
public typealias StoredFileError = Storage.StoredFileError
/// What went wrong with the output.
public typealias PartFileError = Storage.PartFileError
/// What an ID is of: a file, a folder, or the contents of a folder.
public typealias ContentKind = Content.ContentKind
/// The number of a page of chunk hashes, from 0.
public typealias PageIndex = Content.PageIndex
/// The rule that the listing of a folder breaks.
public typealias FolderListingFault = Content.FolderListingFault
/// Why a folder is not updated.
public typealias FolderUpdateFault = Storage.FolderUpdateFault
/// A path as a folder and a name.
public typealias PathParts = Storage.PathParts
/// In which order chunks are fetched.
public typealias ChunkOrder = Transfer.ChunkOrder
/// The bytes of a download as a sequence.
public typealias DownloadBytes = PeerNode.DownloadBytes

// MARK: Serving

/// Serves a folder.
public typealias Server = PeerNode.Server
/// Why a server cannot start.
public typealias ServerError = PeerNode.ServerError
/// Why hashes cannot be kept.
public typealias HashStoreError = Storage.HashStoreError
/// Numbers of a server, which only grow.
public typealias NodeFigures = PeerNode.NodeFigures
/// A look at a server that runs.
public typealias ServerStatus = PeerNode.ServerStatus
/// Sees who fetches what, and when a peer has all of it.
public typealias FetchWatch = PeerNode.FetchWatch
/// What a node sees of the peers that connect to it.
public typealias NodeEvent = PeerNode.NodeEvent
/// The events of a node, as a sequence.
public typealias NodeEvents = PeerNode.NodeEvents
/// What a server finds in its folder.
public typealias CatalogueEvent = Storage.CatalogueEvent
/// What of a folder is served.
public typealias ServingRules = Storage.ServingRules
/// A pattern of paths.
public typealias PathPattern = Content.PathPattern
/// A served folder that has an ID.
public typealias ListedFolder = Storage.ListedFolder
/// A listing of a served folder.
public typealias ServedListing = Storage.ServedListing
/// Entries that a listing leaves out, by reason.
public typealias LeftOutCounts = Storage.LeftOutCounts
/// A served file.
public typealias CatalogueEntry = Storage.CatalogueEntry

// MARK: Both

/// How a node takes part.
public typealias NodeConfiguration = PeerNode.NodeConfiguration
/// Where a node looks for others, and can be found.
public typealias DiscoverySettings = PeerNode.DiscoverySettings
/// A node's long-term key.
public typealias StaticIdentity = Wire.StaticIdentity
/// The key of a private swarm.
public typealias SwarmKey = Wire.SwarmKey
/// How connections are encrypted.
public typealias CipherSuite = Wire.CipherSuite
/// 32 secret bytes, wiped after use.
public typealias SecretKey = Sodium.SecretKey
/// A node's public key.
public typealias PeerID = Wire.PeerID
/// A file by its content.
public typealias FileID = Content.FileID
/// A fileID with a name, a length and peers, in one word.
public typealias FileLink = Wire.FileLink
/// The number of a chunk, from 0.
public typealias ChunkIndex = Content.ChunkIndex
/// A host name or address, and a port.
public typealias HostPort = Posix.HostPort
/// An IP address and a port.
public typealias Endpoint = Posix.Endpoint
/// An error of the system.
public typealias Errno = Posix.Errno
/// Why a text is not a link.
public typealias FileLinkFault = Wire.FileLinkFault
/// Why the other end closed a connection.
public typealias CloseCode = Wire.CloseCode
/// Why a handshake failed.
public typealias HandshakeError = Wire.HandshakeError
/// Why the file of a key cannot be used.
public typealias SecretFileError = Storage.SecretFileError
/// Why a host name has no address.
public typealias ResolutionFailure = Posix.ResolutionFailure

/// Names of strangers, made harmless for a terminal or a log (`escapedForTerminal`), or for a folder (`sanitised`).
public typealias SuggestedName = Content.SuggestedName

/// Hashes a file on all cores; blocks until it is done.
/// - Throws: why it cannot be read, or has no fileID.
@available(*, noasync, message: "it blocks until the file is hashed; use 'await fileID(of:)'")
package func fileID(of path: String) throws(SkipReason) -> FileID { try hashFile(path).fileID }

/// Hashes a file on all cores. Cancelling the task ends that: it throws `.stopped`.
/// - Throws: why the file cannot be read, or has no fileID.
public func fileID(of path: String) async throws(SkipReason) -> FileID {
  try await Posix.Thread.stoppable("p2p-hash") { shouldStop throws(SkipReason) in
    try hashFile(path, shouldStop: shouldStop).fileID
  }
}

/// Why a file has no fileID.
public typealias SkipReason = Storage.SkipReason
