// How a lying peer changes an honest answer.
import Content
import Transfer
import Wire

extension ServingPeer {
  /// Returns the message that the peer really sends.
  func distort(_ message: Message, _ payload: [UInt8]) -> (Message, [UInt8]) {
    switch message {
    case .data(let header): distort(header, payload)
    case .page(let page) where tells(.wrongPage): (.page(distort(page)), payload)
    case .opened(let opened): (.opened(distort(opened)), payload)
    default: (message, payload)
    }
  }

  private func isTime(for fault: Fault) -> Bool { plan.has(fault) && world.generator.chance(plan.wrongPart) }

  private func tells(_ lie: Fault) -> Bool {
    guard isTime(for: lie) else { return false }
    hasLied = true
    return true
  }

  private func distort(_ header: DataHeader, _ payload: [UInt8]) -> (Message, [UInt8]) {
    var header = header
    var payload = payload
    if !header.leafHashes.isEmpty, tells(.wrongLeafHashes) {
      var hashes = header.leafHashes
      let leaf = world.generator.pick(Array(header.leaves.first..<header.leaves.end))
      if world.generator.chance(0.5) {
        hashes[leaf] = .zero
      } else {
        // The cunning lie: wrong bytes with a matching leaf hash.
        let part = place(of: leaf, in: header)
        payload[part.lowerBound] ^= 1
        let bytes = Array(payload[part])
        hashes[leaf] = MerkleTree.leafHash(bytes.span.bytes)
      }
      header = DataHeader(
        id: header.id, leaves: header.leaves, isLast: header.isLast, leafHashes: hashes, byteCount: header.byteCount)
    }
    if tells(.wrongBytes) { payload[world.generator.pick(Array(payload.indices))] ^= 1 }
    if isTime(for: .breaksProtocol) { return breakProtocol(header, payload) }
    return (.data(header), payload)
  }

  /// Returns the place of a leaf's bytes in an answer that carries all leaf hashes of its chunk.
  private func place(of leaf: Int, in header: DataHeader) -> Range<Int> {
    guard let number = file.leafHashes.firstIndex(of: header.leafHashes) else {
      preconditionFailure("the hashes are a chunk's")
    }
    let chunk = ChunkIndex(UInt32(number))
    let first = file.layout.offset(ofLeaf: header.leaves.first, in: chunk)
    let start = Int(file.layout.offset(ofLeaf: leaf, in: chunk) - first)
    return start..<start + file.layout.length(of: LeafRange(first: leaf, count: 1), in: chunk)
  }

  private func breakProtocol(_ header: DataHeader, _ payload: [UInt8]) -> (Message, [UInt8]) {
    switch Int.random(in: 0..<4, using: &world.generator) {
    case 0: return (.busy(Busy(id: RequestID(header.id.rawValue + 1000), retryAfterMilliseconds: 1)), [])
    case 1: return (.withdrawn(Withdrawn(handle: FileHandle(7), reason: .changed)), [])
    case 2:
      return (
        .data(
          DataHeader(
            id: header.id, leaves: header.leaves, isLast: !header.isLast, leafHashes: header.leafHashes,
            byteCount: header.byteCount)), payload
      )
    default:
      return (
        .data(
          DataHeader(
            id: RequestID(header.id.rawValue + 1000), leaves: header.leaves, isLast: header.isLast,
            leafHashes: header.leafHashes, byteCount: header.byteCount)), payload
      )
    }
  }

  private func distort(_ page: PageAnswer) -> PageAnswer {
    var hashes = page.chunkHashes
    hashes[world.generator.pick(Array(hashes.indices))] = .zero
    return PageAnswer(handle: page.handle, page: page.page, chunkHashes: hashes, uncles: page.uncles)
  }

  private func distort(_ opened: Opened) -> Opened {
    guard case .opened(let file) = opened.outcome else { return opened }
    let liesOfProof = tells(.wrongProof)
    let liesOfLength = tells(.wrongManifest)
    return Opened(
      handle: opened.handle,
      outcome: .opened(
        OfferedFile(
          proof: liesOfProof ? .zero : file.proof, kind: file.kind,
          length: liesOfLength ? file.length + 1 : file.length, root: file.root, chunkSizeLog2: file.chunkSizeLog2,
          availability: file.availability, suggestedName: file.suggestedName)))
  }
}
