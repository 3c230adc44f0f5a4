// Gives the library's errors a `localizedDescription` (Foundation): the same text as their `description`.
import Content
import FoundationEssentials
import PeerNode
import Posix
import Storage
import Transfer
import Wire

extension DownloadError: LocalizedError { public var errorDescription: String? { description } }
extension ServerError: LocalizedError { public var errorDescription: String? { description } }
extension SettingFault: LocalizedError { public var errorDescription: String? { description } }
extension PartFileError: LocalizedError { public var errorDescription: String? { description } }
extension StoredFileError: LocalizedError { public var errorDescription: String? { description } }
extension HashStoreError: LocalizedError { public var errorDescription: String? { description } }
extension SecretFileError: LocalizedError { public var errorDescription: String? { description } }
extension SkipReason: LocalizedError { public var errorDescription: String? { description } }
extension FileLinkFault: LocalizedError { public var errorDescription: String? { description } }
extension ResolutionFailure: LocalizedError { public var errorDescription: String? { description } }
extension Errno: LocalizedError { public var errorDescription: String? { description } }
