// All that a program says about one download.
import Content
import Posix
import Transfer

/// One file to fetch, with the peers to ask, the place of the output, and the settings.
struct DownloadRequest: Sendable {
  let fileID: FileID
  /// In bytes; nil: any.
  var length: UInt64?
  let peers: [PeerSource]
  var target: DownloadTarget
  let settings: DownloadSettings
  /// Nil: other peers get nothing.
  let sharing: Sharing?
  var folder = FolderOptions()
  /// Finds the addresses of names.
  var resolve: Resolver = { host throws(ResolutionFailure) in try host.resolve() }

  /// The first thing that makes the download impossible, whatever peers have; nil: it may begin.
  var fault: SettingFault? {
    settings.fault ?? target.fault ?? peers.lazy.compactMap(\.fault).first
  }
}
