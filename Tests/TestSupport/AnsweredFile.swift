// A file of which a test knows every byte and hash, and the messages in which a peer answers for it.
import Content
import Wire

/// What a scripted peer needs of a file to answer for it, rightly or wrongly.
package protocol AnsweredFile: Sendable {
  /// The name that its sources suggest.
  var name: String { get }
  var fileID: FileID { get }
  var layout: ChunkLayout { get }
  var tree: HashTree { get }
  /// The bytes of a run of leaves.
  func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8]
  func leafHashes(of chunk: ChunkIndex) -> [Digest]
}

extension ChunkRequest {
  /// The runs of leaves of a right answer, one a frame.
  package var runs: [LeafRange] {
    stride(from: leaves.first, to: leaves.end, by: ProtocolLimits.dataFullLeavesMax).map {
      LeafRange(first: $0, count: min(ProtocolLimits.dataFullLeavesMax, leaves.end - $0))
    }
  }
}

extension AnsweredFile {
  /// OPENED with this manifest, or with one that is changed.
  /// - `proof`: needs the key of the connection, so the peer makes it.
  package func opened(
    _ handle: FileHandle, proof: Digest, kind: UInt8? = nil, length: UInt64? = nil, root: Digest? = nil,
    chunkSizeLog2: UInt8? = nil, availability: OfferedFile.Availability? = nil, name: String? = nil
  ) -> Message {
    .opened(
      Opened(
        handle: handle,
        outcome: .opened(
          OfferedFile(
            proof: proof, kind: kind ?? ContentKind.file.rawValue, length: length ?? layout.fileLength,
            root: root ?? tree.root, chunkSizeLog2: chunkSizeLog2 ?? 20, availability: availability ?? .complete,
            suggestedName: name ?? self.name))))
  }

  /// The PAGE that is asked for, or one that is changed. GOODBYE where the file has no such page.
  package func page(
    _ get: PageGet, number: UInt32? = nil, hashes change: (inout [Digest]) -> Void = { _ in },
    uncles changeUncles: (inout [Digest]) -> Void = { _ in }
  ) -> Message {
    guard let page = tree.page(PageIndex(get.page)) else { return .goodbye(Goodbye(code: .done)) }
    var (hashes, uncles) = (page.chunkHashes, page.uncles)
    change(&hashes)
    changeUncles(&uncles)
    return .page(PageAnswer(handle: get.handle, page: number ?? get.page, chunkHashes: hashes, uncles: uncles))
  }

  /// A DATA frame of a run of leaves.
  /// - `hashes`: nil: the chunk's leaf hashes if they are due in this frame.
  package func data(
    _ request: ChunkRequest, _ leaves: LeafRange, isLast: Bool? = nil, hashes: [Digest]? = nil, bytes: [UInt8]? = nil
  ) -> [UInt8] {
    let bytes = bytes ?? self.leaves(leaves, of: request.chunk)
    let header = DataHeader(
      id: request.id, leaves: leaves, isLast: isLast ?? (leaves.end == request.leaves.end),
      leafHashes: hashes ?? dueHashes(request, leaves), byteCount: bytes.count)
    return Message.data(header).frame + bytes
  }

  private func dueHashes(_ request: ChunkRequest, _ leaves: LeafRange) -> [Digest] {
    request.wantsLeafHashes && leaves.first == request.leaves.first ? leafHashes(of: request.chunk) : []
  }

  /// The frames of a whole answer, with the bytes of each run and the leaf hashes changed.
  package func answer(
    _ request: ChunkRequest, changeBytes: (inout [UInt8], LeafRange) -> Void = { _, _ in },
    changeHashes: (inout [Digest]) -> Void = { _ in }
  ) -> [[UInt8]] {
    request.runs.map { run in
      var bytes = leaves(run, of: request.chunk)
      changeBytes(&bytes, run)
      var hashes = dueHashes(request, run)
      if !hashes.isEmpty { changeHashes(&hashes) }
      return data(request, run, hashes: hashes, bytes: bytes)
    }
  }
}
