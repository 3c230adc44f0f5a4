// A file with known bytes and hashes, and the messages with which a peer answers requests for it.
import Content
import Wire

/// The parts of a file that a scripted peer needs to answer requests, correctly or not.
package protocol AnsweredFile: Sendable {
  /// The name that its sources suggest.
  var name: String { get }
  var fileID: FileID { get }
  var layout: ChunkLayout { get }
  var tree: HashTree { get }
  /// Returns the bytes of a run of leaves.
  func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8]
  func leafHashes(of chunk: ChunkIndex) -> [Digest]
}

extension ChunkRequest {
  /// The runs of leaves of a correct answer, one for each frame.
  package var runs: [LeafRange] {
    stride(from: leaves.first, to: leaves.end, by: ProtocolLimits.dataFullLeavesMax).map {
      LeafRange(first: $0, count: min(ProtocolLimits.dataFullLeavesMax, leaves.end - $0))
    }
  }
}

extension AnsweredFile {
  /// OPENED with this manifest. Each given field replaces the true one.
  /// - `proof`: depends on the connection, so the peer computes it.
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

  /// Returns the requested PAGE, with the given changes. GOODBYE if the file has no such page.
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

  /// A DATA frame with a run of leaves.
  /// - `hashes`: nil: the chunk's leaf hashes, if this frame must carry them.
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

  /// Returns the frames of a complete answer. The closures may change the bytes of each run and the leaf hashes.
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
