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
    let file = ServedFile(key: key, pages: entry.tree.pages, root: entry.tree.root, name: entry.name)
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

  /// A file turned out to be no longer what it was: nothing more of it is sent, to anybody.
  func withdraw(_ handle: FileHandle, because error: StoredFileError) {
    guard let entry = served.removeValue(forKey: handle) else { return }
    let reason: Withdrawn.Reason
    switch error {
    case .changed: reason = .changed
    case .removed: reason = .removed
    case .unreadable: reason = .unreadable
    case .busy: preconditionFailure("a shortage withdraws nothing")
    }
    loop.context.catalogue?.withdraw(entry)
    session!.withdraw(handle, reason)
    performSession()
    loop.context.report(.withdrawn(path: entry.path, "\(error)"))
  }
}
