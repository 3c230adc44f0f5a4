// Encodes messages. A frame is `u32 length ‖ u8 type ‖ body`; the length counts type and body.
import Content

extension Message {
  /// Appends the frame. For `.data`, only its header: the caller then sends the `byteCount` bytes of leaves.
  public func encode(into out: inout [UInt8]) {
    let start = out.count
    out.append(bigEndian: UInt32(0))
    out.append(type.rawValue)
    appendBody(to: &out)
    var length = UInt32(out.count - start - 4)
    if case .data(let header) = self { length += UInt32(header.byteCount) }
    for i in 0..<4 { out[start + i] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * i)) }
  }

  private func appendBody(to out: inout [UInt8]) {
    switch self {
    case .open(let open):
      out.append(bigEndian: open.handle.rawValue)
      out.append(bigEndian: open.bucket)
      open.proof.append(to: &out)
    case .opened(let opened):
      opened.appendBody(to: &out)
    case .pageGet(let get):
      out.append(bigEndian: get.handle.rawValue)
      out.append(bigEndian: get.page)
    case .page(let answer):
      answer.appendBody(to: &out)
    case .request(let request):
      request.appendBody(to: &out)
    case .data(let header):
      header.appendBody(to: &out)
    case .cancel(let id):
      out.append(bigEndian: id.rawValue)
    case .busy(let busy):
      out.append(bigEndian: busy.id.rawValue)
      out.append(bigEndian: busy.retryAfterMilliseconds)
    case .promised(let promised):
      out.append(bigEndian: promised.handle.rawValue)
      out.append(bigEndian: UInt16(promised.chunks.count))
      for chunk in promised.chunks { out.append(bigEndian: chunk.rawValue) }
    case .close(let handle):
      out.append(bigEndian: handle.rawValue)
    case .have(let have):
      have.appendBody(to: &out)
    case .bitmap(let bitmap):
      out.append(bigEndian: bitmap.handle.rawValue)
      out.append(bigEndian: bitmap.firstChunk.rawValue)
      out.append(bigEndian: UInt32(bitmap.count))
      out += bitmap.bits
    case .withdrawn(let withdrawn):
      out.append(bigEndian: withdrawn.handle.rawValue)
      out.append(withdrawn.reason.rawValue)
    case .peers(let exchange):
      exchange.appendBody(to: &out)
    case .ping(let opaque), .pong(let opaque):
      out.append(bigEndian: opaque)
    case .goodbye(let goodbye):
      out.append(goodbye.code.rawValue)
      out.append(UInt8(goodbye.text.utf8.count))
      out += goodbye.text.utf8
    }
  }
}

extension Opened {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: handle.rawValue)
    switch outcome {
    case .refused(let refusal):
      out.append(refusal.rawValue)
    case .opened(let file):
      out.append(Opened.statusOpened)
      file.proof.append(to: &out)
      out.append(file.kind)
      out.append(bigEndian: file.length)
      file.root.append(to: &out)
      out.append(file.chunkSizeLog2)
      out.append(file.availability.rawValue)
      out.append(UInt8(file.suggestedName.utf8.count))
      out += file.suggestedName.utf8
    }
  }
}

extension PageAnswer {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: handle.rawValue)
    out.append(bigEndian: page)
    out.append(bigEndian: UInt16(chunkHashes.count))
    for hash in chunkHashes { hash.append(to: &out) }
    out.append(UInt8(uncles.count))
    for uncle in uncles { uncle.append(to: &out) }
  }
}

extension ChunkRequest {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: id.rawValue)
    out.append(bigEndian: handle.rawValue)
    out.append(bigEndian: chunk.rawValue)
    out.append(UInt8(leaves.first))
    out.append(UInt8(leaves.count))
    out.append(wantsLeafHashes ? FrameFlags.leafHashes : 0)
  }
}

extension DataHeader {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: id.rawValue)
    out.append(UInt8(leaves.first))
    out.append(UInt8(leaves.count))
    out.append((leafHashes.isEmpty ? 0 : FrameFlags.leafHashes) | (isLast ? FrameFlags.last : 0))
    if leafHashes.isEmpty { return }
    out.append(UInt8(leafHashes.count))
    for hash in leafHashes { hash.append(to: &out) }
  }
}

extension Have {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: handle.rawValue)
    out.append(bigEndian: UInt16(runs.count))
    for run in runs {
      out.append(bigEndian: run.chunk.rawValue)
      out.append(UInt8(run.leaves.first))
      out.append(UInt8(run.leaves.count))
    }
  }
}

extension PeerExchange {
  fileprivate func appendBody(to out: inout [UInt8]) {
    out.append(bigEndian: handle.rawValue)
    out.append(UInt8(entries.count))
    for entry in entries {
      out.append(entry.isIPv4 ? Entry.familyIPv4 : Entry.familyIPv6)
      out += entry.isIPv4 ? entry.ip.suffix(4) : entry.ip[...]
      out.append(bigEndian: entry.port)
      entry.peer.digest.append(to: &out)
    }
  }
}
