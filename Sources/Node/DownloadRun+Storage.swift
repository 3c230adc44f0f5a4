// Where a download's bytes go, and what of them is there already.
import Content
import Posix
import Storage
import Transfer
import Wire

extension DownloadRun {
  /// The place of the output was looked at; the file that is there counts unless a peer was faster.
  func looked(_ found: (name: String, FoundFile)?) {
    look?.thread.join()
    look = nil
    guard let found, manifest == nil else { return }
    let tree = found.1.tree
    manifest = Manifest(kind: .file, layout: tree.pages.layout, root: tree.root, suggestedName: found.name)
    foundEarly = found
    tell(.foundHere(tree.pages.layout))
  }

  func prepareStorage() {
    guard let manifest else { preconditionFailure("no manifest is verified yet") }
    if let foundEarly { return prepared(.success(.complete(name: foundEarly.name, foundEarly.1))) }
    if !target.isStream {
      let storage = StoragePreparation(fileID, manifest, target)
      preparation = (storage, storage.start(control: control))
      return
    }
    name = target.name ?? target.name(suggestedBy: manifest)
    do throws(PartFileError) {
      startVerifiers(.stream(try openStream(manifest.layout)))
    } catch {
      storageError = error
      return tell(.writeFailed)
    }
    shared.begin(manifest, nil)
    onUpdate(.prepared(name: name, length: manifest.length))
    tell(.storageReady(Resumable()))
  }

  func prepared(_ result: Result<PreparedStorage, PartFileError>) {
    guard let manifest else { preconditionFailure("storage is prepared for a manifest") }
    var resumable = Resumable()
    do throws(PartFileError) {
      switch try result.get() {
      case .complete(let name, let file):
        (self.name, found) = (name, file)
        shared.begin(manifest, file)
        answerWaiting()
        resumable.leaves = (0..<UInt32(manifest.layout.chunkCount)).map { (ChunkIndex($0), .max) }
      case .part(let part):
        begin(part, manifest)
        resumable.heldPages = part.resume.pages.map(\.index)
      }
    } catch {
      storageError = error
      return tell(.writeFailed)
    }
    onUpdate(.prepared(name: name, length: manifest.length))
    if let found { onUpdate(.found(path: found.path)) }
    tell(.storageReady(resumable))
  }

  private func begin(_ prepared: PreparedPart, _ manifest: Manifest) {
    (name, part, resume) = (prepared.name, prepared.file, prepared.resume)
    shared.begin(manifest, .part(prepared.file))
    answerWaiting()
    startVerifiers(.part(prepared.file))
    journal = DownloadJournal(
      JournalState(after: prepared.journal?.contents, in: manifest.layout), part: prepared.file,
      file: prepared.journal?.file, name: prepared.name, replaces: target.mayReplace, control: control)
    guard prepared.file.isResumed else { return }
    resumer = DownloadResumer(prepared.file, manifest.layout, prepared.resume, control: control)
    for page in prepared.resume.pages { resumer?.compare(page, from: nil) }
  }

  /// Who opened the file before there was anything to say is answered.
  private func answerWaiting() { if context.shared != nil { context.tellAllLoops(.catalogueChanged) } }

  private func startVerifiers(_ sink: VerifiedSink) {
    verifiers = VerifyPool(
      count: max(2, min(Thread.processorCount, 8)), jobs: jobs, sink: sink, blocks: link.blocks, control: control)
  }

  /// What of a page's chunks was found in the part file.
  func resumed(_ page: HashPage, _ leaves: [(chunk: ChunkIndex, mask: UInt64)], from id: ConnectionID?) {
    let layout = manifest!.layout
    learned(page)
    for (chunk, mask) in leaves {
      let hash = page.chunkHashes[Int(chunk.rawValue) % PageLayout.wireChunksPerPage]
      let isWhole = mask == layout.leaves(of: chunk).mask
      shared.add(
        mask, of: chunk, leafHashes: isWhole ? nil : resume.leafHashes(of: chunk, hash: hash, in: layout))
    }
    let wholeCount = leaves.count { $0.mask == layout.leaves(of: $0.chunk).mask }
    if wholeCount > 0 { onUpdate(.resumed(chunks: wholeCount)) }
    tell(.resumed(leaves))
    tell(.pageVerified(page.index, from: id))
  }

  private func openStream(_ layout: ChunkLayout) throws(PartFileError) -> OrderedStream {
    do throws(Errno) {
      let stream = OrderedStream(try File.standardOutput(), leafSize: layout.leafSize)
      self.stream = StreamWriter(stream, chunkSize: layout.chunkSize, control: control)
      return stream
    } catch {
      throw .cannotCreate(error)
    }
  }

  /// A stream's window moves on by whole chunks.
  func streamed(below offset: UInt64) {
    let layout = manifest!.layout
    let chunk = offset >= layout.fileLength ? layout.chunkCount : Int(offset / UInt64(layout.chunkSize))
    guard chunk > streamedChunks else { return }
    streamedChunks = chunk
    tell(.consumed(below: ChunkIndex(UInt32(chunk))))
  }
}
