// What other programs import: a node, and the types that it speaks in, under one name.
//
// Names, and no module as a whole: Posix has a Thread and a File of its own, which would be taken for Foundation's.
import Content
import Node
import Posix
import Sodium
import Storage
import Transfer
import Wire

// MARK: Fetching

public typealias Downloader = Node.Downloader
public typealias PeerClient = Node.PeerClient
public typealias PeerSource = Node.PeerSource
public typealias DownloadTarget = Node.DownloadTarget
public typealias Sharing = Node.Sharing
public typealias Download = Node.Download
public typealias DownloadUpdate = Node.DownloadUpdate
public typealias DownloadResult = Node.DownloadResult
public typealias DownloadError = Node.DownloadError
public typealias ConnectionEnd = Node.ConnectionEnd
public typealias DownloadSettings = Transfer.DownloadSettings
public typealias DownloadFailure = Transfer.DownloadFailure
public typealias DownloadReport = Transfer.DownloadReport
public typealias DownloadProgress = Transfer.DownloadProgress
public typealias PeerProgress = Transfer.PeerProgress
public typealias DownloadStats = Transfer.DownloadStats
public typealias PeerDownloadStats = Transfer.PeerDownloadStats
public typealias AnswerTimes = Transfer.AnswerTimes
public typealias WorkerWaits = Transfer.WorkerWaits
public typealias WorkerWait = Transfer.WorkerWait
public typealias DownloadExplanation = Transfer.DownloadExplanation
public typealias DownloadLimit = Transfer.DownloadLimit
public typealias PartFileError = Storage.PartFileError

// MARK: Serving

public typealias Server = Node.Server
public typealias ServerError = Node.ServerError
public typealias NodeEvent = Node.NodeEvent
public typealias CatalogueEvent = Storage.CatalogueEvent
public typealias CatalogueEntry = Storage.CatalogueEntry

// MARK: Both

public typealias NodeConfiguration = Node.NodeConfiguration
public typealias DiscoverySettings = Node.DiscoverySettings
public typealias StaticIdentity = Wire.StaticIdentity
public typealias SwarmKey = Wire.SwarmKey
public typealias CipherSuite = Wire.CipherSuite
public typealias SecretKey = Sodium.SecretKey
public typealias PeerID = Wire.PeerID
public typealias FileID = Content.FileID
public typealias FileLink = Wire.FileLink
public typealias ChunkIndex = Content.ChunkIndex
public typealias HostPort = Posix.HostPort
public typealias SocketAddress = Posix.SocketAddress
public typealias Errno = Posix.Errno

/// Hashes a file on all cores; blocks until it is done.
/// - Throws: why it cannot be read, or has no fileID.
public func fileID(of path: String) throws(SkipReason) -> FileID { try hashFile(path).fileID }

public typealias SkipReason = Storage.SkipReason
