// A program's request for one download.
import Content
import Posix
import Transfer

/// One file or folder to fetch, with the peers to ask, the place of the output, and the settings.
struct DownloadRequest: Sendable {
  let fileID: FileID
  /// The expected length in bytes; nil: any.
  var length: UInt64?
  let peers: [PeerSource]
  var target: DownloadTarget
  let settings: DownloadSettings
  /// Nil: nothing is offered to other peers.
  let sharing: Sharing?
  var folder = FolderOptions()
  /// The function that resolves host names.
  var resolve: Resolver = { host throws(ResolutionFailure) in try host.resolve() }

  /// The first invalid setting, target or peer; nil: the download may begin.
  var fault: SettingFault? {
    settings.fault ?? target.fault ?? peers.lazy.compactMap(\.fault).first
  }
}
