// What a peer may open and request, and into which pieces its answers are cut.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct UploadStateTests {
  let layout = ChunkLayout(fileLength: 3 << 20 - 100_000)!
  let handle = FileHandle(5)

  func opened() throws -> UploadState {
    var state = UploadState()
    _ = try state.open(handle, layout)
    return state
  }

  func ask(
    _ state: inout UploadState, _ id: UInt32, chunk: UInt32 = 0, first: Int = 0, count: Int = 64, hashes: Bool = true
  ) throws(PeerFault) -> UploadState.Admission {
    try state.accept(
      RequestID(id), handle, chunk: ChunkIndex(chunk), firstLeaf: first, leafCount: count, wantsLeafHashes: hashes)
  }

  @Test func `an answer goes out in order, four leaves per piece, with the hashes in the first`() throws {
    var state = try opened()
    #expect(try ask(&state, 1, first: 3, count: 10) == .queued)
    #expect(try ask(&state, 2, chunk: 1, first: 63, count: 1, hashes: false) == .queued)
    var pieces: [UploadPiece] = []
    while let piece = state.nextPiece() { pieces.append(piece) }
    #expect(pieces.map(\.leaves.first) == [3, 7, 11, 63] && pieces.map(\.leaves.count) == [4, 4, 2, 1])
    #expect(pieces.map(\.includesLeafHashes) == [true, false, false, false])
    #expect(pieces.map(\.isLastOfAnswer) == [false, false, true, true])
    #expect(pieces.map(\.request.rawValue) == [1, 1, 1, 2])
  }

  @Test func `a request for data beyond the file is a violation`() throws {
    var state = try opened()
    #expect(throws: PeerFault.violation(.noSuchChunk)) { _ = try ask(&state, 1, chunk: 3) }
    #expect(throws: PeerFault.violation(.noSuchChunk)) { _ = try ask(&state, 2, chunk: .max) }
    // The last chunk has 58 leaves.
    #expect(throws: PeerFault.violation(.unexpectedLeaves)) {
      _ = try ask(&state, 3, chunk: 2, first: 0, count: 59)
    }
    #expect(try ask(&state, 4, chunk: 2, first: 0, count: 58) == .queued)
    #expect(throws: PeerFault.violation(.unexpectedLeaves)) { _ = try ask(&state, 5, count: 0) }
    #expect(throws: PeerFault.violation(.unexpectedLeaves)) {
      _ = try ask(&state, 6, first: 255, count: 255)
    }
  }

  @Test func `request IDs strictly increase, whatever became of the last request`() throws {
    var state = try opened()
    #expect(try ask(&state, 7) == .queued)
    #expect(throws: PeerFault.violation(.idNotIncreasing)) { _ = try ask(&state, 7) }
    #expect(throws: PeerFault.violation(.idNotIncreasing)) { _ = try ask(&state, 1) }
  }

  @Test func `the 65th waiting request gets BUSY`() throws {
    var state = try opened()
    for id in 1...64 { #expect(try ask(&state, UInt32(id)) == .queued) }
    #expect(try ask(&state, 65) == .busy)
    state.cancel(RequestID(10))
    #expect(try ask(&state, 66) == .queued)
  }

  @Test func `a cancelled answer stops where it is`() throws {
    var state = try opened()
    _ = try ask(&state, 1)
    _ = try ask(&state, 2)
    _ = state.nextPiece()
    state.cancel(RequestID(1))
    #expect(state.nextPiece()?.request == RequestID(2))
    state.cancel(RequestID(1))
    state.cancel(RequestID(3))  // never requested: has no effect
  }

  @Test func `a withdrawn file drops its requests, and requests that arrive later are ignored`() throws {
    var state = try opened()
    _ = try ask(&state, 1)
    state.withdraw(handle)
    #expect(state.nextPiece() == nil)
    #expect(try ask(&state, 2) == .void)
    #expect(throws: PeerFault.violation(.unknownHandle)) {
      _ = try state.accept(
        RequestID(3), FileHandle(6), chunk: ChunkIndex(0), firstLeaf: 0, leafCount: 1, wantsLeafHashes: false)
    }
    #expect(try state.open(handle, layout) == .opened)
    #expect(try ask(&state, 4) == .queued)
  }

  @Test func `at most 64 files are open, and no handle is used twice`() throws {
    var state = UploadState()
    for number in 0..<64 { #expect(try state.open(FileHandle(UInt32(number)), layout) == .opened) }
    #expect(try state.open(FileHandle(64), layout) == .tooManyFiles)
    #expect(throws: PeerFault.violation(.handleInUse)) {
      _ = try state.open(FileHandle(1), layout)
    }
  }
}
