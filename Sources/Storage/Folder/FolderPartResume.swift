// Finds what an earlier download left in a part folder. Only bytes whose hashes match are trusted.
import Content
import Posix

extension FolderPart {
  /// Returns the verified leaves, as `PartStorage` says. Missing bytes, or the end of a short file, count as wrong
  /// leaves. If the leaf hashes of a chunk are not known, a file of at most one chunk is checked as a whole against its
  /// root in the listing.
  public func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    precondition(layout.folder == self.layout, "the layout is this folder's")
    precondition(chunks.allSatisfy { layout.contains($0.chunk) }, "no such chunk")
    return try LeafSearch.found(chunks, threads: threads, shouldStop) { known, buffer throws(PartFileError) in
      do throws(Errno) { return try self.verifiedMask(of: known, &buffer) } catch { throw .io(error) }
    }
  }

  private func verifiedMask(of known: ChunkOnDisk, _ buffer: inout [UInt8]) throws(Errno) -> UInt64 {
    let runs = layout.runs(at: cut.offset(of: known.chunk), count: cut.length(of: known.chunk))
    if runs.count == 1, isLarge(listing.fileLength(of: runs[0].entry)) {
      guard known.isToBeRead(try presence(of: runs[0])) else { return 0 }
    }
    var (mask, first): (UInt64, Int) = (0, 0)
    for run in runs {
      let found = try leafHashes(of: run, &buffer)
      mask |= rightLeaves(found, of: run, first: first, known)
      first += found.count
    }
    return mask
  }

  /// - `first`: the chunk's leaf at which the run begins.
  private func rightLeaves(_ found: [Digest?], of run: FolderRun, first: Int, _ known: ChunkOnDisk) -> UInt64 {
    if let due = known.leafHashes {
      return found.indices.reduce(0) { found[$1] == due[first + $1] ? $0 | 1 << UInt64(first + $1) : $0 }
    }
    let whole = found.compactMap { $0 }
    guard whole.count == found.count else { return 0 }
    let isRight =
      if isLarge(listing.fileLength(of: run.entry)) {
        cut.chunkHash(whole, of: known.chunk) == known.hash
      } else {
        MerkleTree.node(over: whole, level: 0, width: MerkleTree.powerOfTwo(atLeast: whole.count))
          == listing.fileRoot(of: run.entry)
      }
    return isRight ? LeafRange(first: first, count: found.count).mask : 0
  }

  /// Returns the hashes of a file's leaves, with nil for each leaf that is not complete.
  private func leafHashes(of run: FolderRun, _ buffer: inout [UInt8]) throws(Errno) -> [Digest?] {
    let leafSize = cut.leafSize
    let leafCount = (run.count + leafSize - 1) / leafSize
    var hashes: [Digest?] = []
    hashes.reserveCapacity(leafCount)
    if let open = try openIfThere(run.entry) {
      for piece in stride(from: 0, to: run.count, by: ParallelHash.bufferBytes) {
        let wanted = min(ParallelHash.bufferBytes, run.count - piece)
        var span = buffer.mutableSpan
        var bytes = span.mutableBytes
        let count = try open.file.read(at: run.offset + UInt64(piece), count: wanted, into: &bytes)
        let whole = count == wanted ? wanted : count / leafSize * leafSize
        hashes += MerkleTree.leafHashes(bytes.bytes.extracting(first: whole), leafSize: leafSize).map { $0 }
        if count < wanted { break }
      }
    }
    return hashes + [Digest?](repeating: nil, count: leafCount - hashes.count)
  }

  /// Opens a file for reading. Nil if it does not exist, or another program put something else in its place.
  private func openIfThere(_ entry: Int) throws(Errno) -> OpenPartFile? {
    do throws(Errno) { return try openToRead(entry) } catch {
      guard [Errno.noEntry, Errno.notFolder, Errno.symbolicLink].contains(error.code) else { throw error }
      return nil
    }
  }

  /// Returns whether the file system holds data for all, some or none of a large file's run. All, if it cannot tell.
  private func presence(of run: FolderRun) throws(Errno) -> DataPresence {
    guard let open = try openIfThere(run.entry) else { return .none }
    let end = run.offset + UInt64(run.count)
    do throws(Errno) {
      guard let data = try open.file.nextData(from: run.offset), data.lowerBound < end else { return .none }
      return data.lowerBound == run.offset && data.upperBound >= end ? .all : .some
    } catch {
      if error.code == Errno.invalid { return .all }
      throw error
    }
  }
}
