// The contents that a connection fetches, and the handles that it has used for them.
import Wire

/// The contents of the other end that this end fetches. Handles increase, and the peer ends each at most once.
struct FetchedContents: Sendable {
  /// The contents that are open at the other end, or whose OPEN is not answered, in the order of their handles.
  var contents: [FetchedContent] = []
  /// Handles below this one are or were in use.
  private(set) var nextHandle = FileHandle(1)
  /// Handles that the peer refused or withdrew, the newest last, at most as many as can be open. The peer may end each
  /// handle only once.
  private(set) var endedByPeer: [FileHandle] = []

  func place(of handle: FileHandle) -> Int? {
    for place in contents.indices where contents[place].handle == handle { return place }
    return nil
  }

  func wasUsed(_ handle: FileHandle) -> Bool { (1..<nextHandle.rawValue).contains(handle.rawValue) }

  /// Returns a handle that was never in use.
  mutating func takeHandle() -> FileHandle {
    defer { nextHandle = FileHandle(nextHandle.rawValue + 1) }
    return nextHandle
  }

  /// Removes a content that the peer refused or withdrew.
  mutating func endByPeer(at place: Int) {
    if endedByPeer.count == ProtocolLimits.openFilesMax { endedByPeer.removeFirst() }
    endedByPeer.append(contents.remove(at: place).handle)
  }
}
