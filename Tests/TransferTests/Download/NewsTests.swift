// How a peer's news become events of a download, for the node and the simulator alike.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct NewsTests {
  private let id = ConnectionID(3)

  /// Compares events as text: they contain arrays of tuples, so they are not Equatable.
  private func expect(_ event: DownloadEvent, _ other: DownloadEvent) { #expect("\(event)" == "\(other)") }

  @Test func `each reason of a refusal is kept`() {
    for refusal in Opened.Refusal.allCases {
      expect(DownloadEvent(.refused(refusal), from: id), .refused(id, refusal))
    }
  }

  @Test func `a page is verified at once, or after the comparison with the disk`() throws {
    let page = HashPage(index: PageIndex(2), chunkHashes: [.zero], uncles: [])
    expect(DownloadEvent(.page(page), from: id), .pageVerified(PageIndex(2), from: id))
    expect(DownloadEvent(.page(page), from: id, isCompared: true), .pageArrived(PageIndex(2), from: id))
  }

  @Test func `other news become the event of the same name`() throws {
    let layout = try #require(ChunkLayout(fileLength: 5))
    let manifest = Manifest(kind: .file, layout: layout, root: .zero, suggestedName: "")
    let request = RequestID(7)
    expect(DownloadEvent(.opened(manifest, isComplete: false), from: id), .opened(id, layout, isComplete: false))
    expect(
      DownloadEvent(.busy(request, retryAfter: .seconds(1)), from: id), .busy(id, request, retryAfter: .seconds(1)))
    expect(DownloadEvent(.withdrawn(.changed), from: id), .withdrawn(id))
    expect(DownloadEvent(.answerBegan(request), from: id), .answerBegan(id, request))
    expect(DownloadEvent(.answerEnded(request), from: id), .answerEnded(id, request))
    expect(DownloadEvent(.othersServed, from: id), .othersServed(id))
    expect(DownloadEvent(.have([]), from: id), .have(id, []))
    expect(DownloadEvent(.promised([ChunkIndex(4)]), from: id), .promised(id, [ChunkIndex(4)]))
    expect(DownloadEvent(.peers([]), from: id), .peers(id, []))
  }

  @Test func `only code 5 means that another connection stays, and only a lie bans`() {
    expect(DownloadEvent(.remote(.duplicateConnection, ""), of: id), .replaced(id))
    expect(DownloadEvent(.remote(.idle, ""), of: id), .connectionLost(id, .goodbye(CloseCode.idle.rawValue)))
    expect(DownloadEvent(.violation("a frame"), of: id), .connectionLost(id, .violation))
    expect(DownloadEvent(.lied("a page"), of: id), .lied(id))
  }

  @Test func `GOODBYE has the code of its reason`() {
    #expect(DisconnectReason.banned.closeCode == .badData)
    #expect(DisconnectReason.duplicate.closeCode == .duplicateConnection)
    #expect(DisconnectReason.done.closeCode == .done)
  }
}
