// Handles the kernel's events about folders. An event says where to look; the file system says which file is there.
import Content
import Posix
import SQLite

extension WatchedFolder {
  /// Handles all waiting events. Returns false if there was none.
  @discardableResult public func takeEvents() -> Bool {
    do throws(Errno) {
      let events = try watches?.read() ?? []
      for event in events { take(event) }
      return !events.isEmpty
    } catch {
      cannotWatch(error)
      return false
    }
  }

  func take(_ event: FolderEvent) {
    if event.change.contains(.overflow) { return rescan() }
    if event.change.contains(.watchEnded) { return watches?.forget(event.watch) ?? () }
    guard !event.name.isEmpty, let folder = watches?.path(of: event.watch) else { return }
    let prefix = folder.isEmpty ? "" : folder + "/"
    if event.change.contains(.movedTo), let half = leaving.removeValue(forKey: event.cookie) {
      guard let path = servedPath(prefix, event) else { return left(half) }
      return half.isFolder ? renameFolder(half.path, to: path) : rename(half.path, to: path)
    }
    guard let path = servedPath(prefix, event) else { return }
    if !event.change.contains(.isFolder), !event.change.isDisjoint(with: [.modified, .created, .movedTo]) {
      changes(path)
    } else if !event.change.contains(.writerClosed) {
      plan.mark(above: path)
    }
    if event.change.contains(.movedFrom) {
      let isFolder = event.change.contains(.isFolder)
      leaving[event.cookie] = Leaving(
        path: path, isFolder: isFolder, until: now() + WatchedFolder.renameNanoseconds)
    } else if event.change.contains(.isFolder) {
      if event.change.contains(.deleted) { left(folder: path) } else { walk(path) }
    } else if event.change.contains(.deleted) {
      look(at: path, isSettled: false)  // another file may have the name by now
    } else if event.change.contains(.modified), unsettled[BytePath(path)] != nil {
      unsettled[BytePath(path)]?.lookAt = now() + WatchedFolder.quietNanoseconds
    } else {
      let isComplete = !event.change.isDisjoint(with: [.writerClosed, .movedTo])
      look(at: path, isSettled: isComplete)
    }
  }

  /// Returns the path of a name. Nil if the rules leave it out or it is not UTF-8.
  private func servedPath(_ prefix: String, _ event: FolderEvent) -> String? {
    switch catalogue.folder.rules.verdict(on: event.name, in: prefix) {
    case .served(let name): return prefix + name
    case .leftOut(.name): break
    case .leftOut, .ignored: return nil
    }
    if !event.change.isDisjoint(with: [.created, .movedTo]) {
      report([SkippedFile(path: prefix + String(decoding: event.name, as: UTF8.self), reason: .nameNotUTF8)])
    }
    return nil
  }

  // MARK: Renames

  /// Handles a file or folder that was moved to a place that is not watched.
  func left(_ half: Leaving) {
    if half.isFolder { left(folder: half.path) } else { look(at: half.path, isSettled: false) }
  }

  private func rename(_ old: String, to new: String) {
    let wasQuiet = unsettled[BytePath(old)] == nil
    if !move(old, to: new) {
      look(at: old, isSettled: false)
      look(at: new, isSettled: wasQuiet)
    }
  }

  /// Moves an entry along with its file. Returns false if there is no entry, or another file is at the new path.
  private func move(_ old: String, to new: String) -> Bool {
    guard let entry = catalogue.entry(at: old), let status = try? catalogue.folder.status(new),
      status.kind == .regular, status.sameBytes(as: entry.status)
    else { return false }
    gone(new)  // the file that had the name before
    do throws(DatabaseError) {
      let renamed = try catalogue.rename(entry, to: new, status)
      plan.mark(above: old)
      plan.mark(above: new)
      emit(.replaced(entry))
      emit(.event(.renamed(renamed, from: old)))
      return true
    } catch {
      emit(.event(.warning("\(error)")))
      return false
    }
  }

  private func renameFolder(_ old: String, to new: String) {
    watches?.rename(old, to: new)
    forget(below: old)
    mark(listingsBelow: old)
    for entry in catalogue.entries(below: old).sorted(by: { BytePath($0.path) < BytePath($1.path) }) {
      if !move(entry.path, to: movedPath(entry.path, from: old, to: new)) { gone(entry.path) }
    }
    walk(new)
  }

  // MARK: Folders

  /// Handles a folder that is new or whose permissions changed: watches it and looks at everything in it.
  private func walk(_ path: String) {
    var found: Set<BytePath> = []
    do throws(Errno) {
      let scan = try FolderScan(catalogue.folder, below: path) { path, folder in watch(folder, as: path) }
      plan.mark(above: path)
      report(scan.skipped)
      for file in scan.files {
        found.insert(BytePath(file.path))
        look(at: file.path, file.status, isSettled: false)
      }
    } catch {
      if !error.isGone {
        report([SkippedFile(path: path, reason: .io(error))])
      }
    }
    for entry in catalogue.entries(below: path) where !found.contains(BytePath(entry.path)) {
      look(at: entry.path, isSettled: false)
    }
  }

  /// Handles a folder that is gone, with everything below it.
  private func left(folder: String) {
    watches?.end(below: folder)
    forget(below: folder)
    mark(listingsBelow: folder)
    for entry in catalogue.entries(below: folder).sorted(by: { BytePath($0.path) < BytePath($1.path) }) {
      gone(entry.path)
    }
  }

  /// Scans all folders, because events were lost or never come.
  func rescan() {
    let start = now()
    var folders: Set<BytePath> = []
    catalogue.beginSweep()
    do throws(Errno) {
      _ = try FolderScan(catalogue.folder) { path, folder in
        folders.insert(BytePath(path))
        watch(folder, as: path)
      } take: { prefix, name, status in
        let path = prefix + name
        // Most files have not changed.
        if catalogue.sees(path, status) { forget(path) } else { look(at: path, status, isSettled: false) }
      }
      watches?.end(exceptOf: folders)
    } catch {
      emit(.event(.warning("\(error)")))
    }
    for path in catalogue.unseenPaths { look(at: path, isSettled: false) }
    if rescanAt != nil { planRescan(since: start) }
  }

  private func planRescan(since start: Int64) {
    rescanAt = now() + max(WatchedFolder.rescanNanoseconds, WatchedFolder.rescanShare * (now() - start))
  }

  // MARK: Watching

  func watch(_ folder: borrowing Directory, as path: String) {
    plan.mark(folder: path)
    guard watches != nil else { return }
    do throws(Errno) { try watches!.watch(folder, as: path) } catch { cannotWatch(error) }
  }

  /// Warns once that changes are noticed late.
  func cannotWatch(_ error: Errno) {
    guard !watchesFailed else { return }
    watchesFailed = true
    rescanAt = now() + WatchedFolder.rescanNanoseconds
    let advice = error.isWatchLimit ? "; raise fs.inotify.max_user_watches (and max_user_instances)" : ""
    let words = "cannot watch all folders: \(error.reason.lowercased())\(advice). Changes are noticed within seconds"
    emit(.event(.warning(words + ", by looking through the whole folder again and again")))
  }

  /// Marks a file's hashes as those of a deleted file, after a connection found a change and withdrew the file.
  func retire(_ path: String) {
    do throws(DatabaseError) { try catalogue.retire(path) } catch { emit(.event(.warning("\(error)"))) }
  }
}
