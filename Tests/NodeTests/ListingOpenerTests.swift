// Long listings that are not in memory. Peers that open them wait, but loops do not.
import Content
import Storage
import TestSupport
import Testing

@testable import PeerNode
@testable import Wire

@Suite struct ListingOpenerTests {
  private let folder = TemporaryFolder()
  private let state = TemporaryFolder()

  private func outcome(_ fileID: FileID, _ handle: UInt32, at peer: ScriptedPeer) throws -> Opened.Outcome? {
    guard case .opened(let opened) = try peer.open(fileID, handle: FileHandle(handle)) else { return nil }
    return opened.outcome
  }

  private func isComplete(_ outcome: Opened.Outcome?) -> Bool {
    if case .opened(let file)? = outcome { file.availability == .complete } else { false }
  }

  @Test func `a long listing of an earlier run is read once for all peers, on another thread than the loops`() throws {
    for i in 0..<1_500 { folder.write("file \(i)", [UInt8(i & 255), UInt8(i >> 8)]) }
    _ = try Followed([], folder: folder, state: state)
    let followed = try Followed([], folder: folder, state: state)
    let listing = followed.server.share.folders[0]
    #expect(listing.length > FolderListings.bytesReadAtOnce)
    let opener = followed.server.context.listingOpener
    let peers = try (0..<2).map { _ in try ScriptedPeer(dialling: followed.server.address) }
    for peer in peers { #expect(isComplete(try outcome(listing.folderID, 1, at: peer))) }
    #expect(opener.openedCount == 1)
    for peer in peers { #expect(isComplete(try outcome(listing.contentsID, 2, at: peer))) }
    #expect(opener.openedCount == 2)
  }

  @Test func `a short listing is read at once`() throws {
    folder.write("file", [1])
    _ = try Followed([], folder: folder, state: state)
    let followed = try Followed([], folder: folder, state: state)
    let listing = followed.server.share.folders[0]
    let peer = try ScriptedPeer(dialling: followed.server.address)
    #expect(isComplete(try outcome(listing.folderID, 1, at: peer)))
    #expect(isComplete(try outcome(listing.contentsID, 2, at: peer)))
    #expect(followed.server.context.listingOpener.openedCount == 0)
  }
}
