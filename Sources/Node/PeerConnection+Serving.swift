// Finds what the peer asks for, and withdraws what is no longer what it was.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Opening

  func lookUp(_ open: Open) {
    // Asked before looking: a scan that ends in between says so by a command that is still to come.
    let isScanning = loop.context.isScanning
    guard let (entry, key) = find(open) else {
      session!.answer(open, isScanning ? .notYet : .noSuchFile)
      return
    }
    let file = ServedFile(key: key, pages: entry.pages, root: entry.root, name: entry.name)
    guard session!.answer(open, .file(file)), let peerID else { return }
    served[open.handle] = entry
    loop.context.report(.opened(peerID, address, path: entry.path))
  }

  /// More files are served than before, or the scan is over.
  func catalogueChanged() { command { $0.lookUpAgain() } }

  private func find(_ open: Open) -> (CatalogueEntry, FileKey)? {
    let context = loop.context
    for entry in context.catalogue?.candidates(bucket: open.bucket) ?? [] {
      let key = FileKey(entry.fileID, swarm: context.swarmKey)
      if session!.isMeant(key, by: open) { return (entry, key) }
    }
    return nil
  }

  // MARK: Withdrawing

  /// A file turned out to be no longer what it was. Another of the same bytes takes its place where there is one, else
  /// the handle is gone.
  func withdraw(_ handle: FileHandle, because error: StoredFileError) {
    guard let entry = served[handle] else { return }
    loop.context.withdraw(entry, because: error)
    replace(handle, of: entry, orSay: Withdrawn.Reason(error))
    performSession()
  }

  /// An entry is no longer served; it may be open here.
  func withdraw(_ entry: CatalogueEntry, because reason: Withdrawn.Reason) {
    let handles = served.filter { $0.value === entry }.keys
    guard !handles.isEmpty else { return }
    guard isEstablished, !isFinishing, !isClosed else { return }
    for handle in handles { replace(handle, of: entry, orSay: reason) }
    command { _ in }
  }

  private func replace(_ handle: FileHandle, of entry: CatalogueEntry, orSay reason: Withdrawn.Reason) {
    if let other = loop.context.catalogue?.entry(entry.fileID) {
      served[handle] = other
    } else {
      served[handle] = nil
      session!.withdraw(handle, reason)
    }
  }
}
