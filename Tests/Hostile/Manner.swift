// What a hostile peer does wrong. Each manner is one misbehaviour; in all else the peer is honest.
import Content
import TestSupport
import Wire

struct Manner: Sendable {
  let name: String
  /// Called before the handshake.
  var onConnect: @Sendable (BlockingSocket) throws -> Void = { _ in }
  /// Called at each moment, after the messages that are due before it.
  var reach: @Sendable (Moment, Talk) throws -> Void = { _, _ in }
  var onOpen: @Sendable (Talk, Open) throws -> Void = { talk, _ in try talk.offer() }
  var onPageGet: @Sendable (Talk, PageGet) throws -> Void = { talk, get in try talk.send(talk.file.page(get)) }
  var onRequest: @Sendable (Talk, ChunkRequest) throws -> Void = { talk, request in
    try talk.peer.send(each: talk.file.answer(request))
  }
  /// Whether each connection has a new PeerID. If not, a ban stops the peer.
  var isFresh = true
  /// Whether it makes a downloader wait for something that never arrives, so that each case takes long.
  var isSlow = false

  init(_ name: String, _ change: (inout Manner) -> Void = { _ in }) {
    self.name = name
    change(&self)
  }

  static let all = lies + disorder + cuts + silences + slowness + refusals + hints
}

// MARK: Content that does not verify

extension Manner {
  static let lies: [Manner] = [
    Manner("wrong leaf") { $0.onRequest = { try $0.answerChanged($1, leaf: 0) } },
    Manner("wrong leaf, same PeerID") {
      $0.onRequest = { try $0.answerChanged($1, leaf: 0) }
      $0.isFresh = false
    },
    Manner("wrong last leaf") { $0.onRequest = { try $0.answerChanged($1, leaf: $1.leaves.count - 1) } },
    Manner("another chunk's leaves") {
      $0.onRequest = { talk, request in
        let other = ChunkIndex(request.chunk.rawValue + 1)
        try talk.peer.send(
          each: talk.file.answer(request, changeBytes: { $0 = talk.file.leaves($1, of: other) }))
      }
    },
    Manner("wrong leaf hashes") { $0.onRequest = { try $0.answer($1) { $0[0] = .zero } } },
    Manner("too few leaf hashes") { $0.onRequest = { try $0.answer($1) { $0.removeLast() } } },
    Manner("wrong page") {
      $0.onPageGet = { talk, get in try talk.send(talk.file.page(get, hashes: { $0[0] = .zero })) }
    },
    Manner("a page of another length") {
      $0.onPageGet = { talk, get in
        try talk.send(talk.file.page(get, hashes: { $0 = $0.count > 1 ? $0.dropLast() : [.zero, .zero] }))
      }
    },
    Manner("too many uncles") {
      $0.onPageGet = { talk, get in try talk.send(talk.file.page(get, uncles: { $0.append(.zero) })) }
    },
    Manner("another page") { $0.onPageGet = { talk, get in try talk.send(talk.file.page(get, number: get.page + 1)) } },
    Manner("wrong length") {
      $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, length: $0.file.layout.fileLength + 1) }
    },
    Manner("a length over 1 TiB") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, length: .max) } },
    Manner("wrong root") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, root: .zero) } },
    Manner("wrong proof") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, proof: .zero) } },
    Manner("wrong kind") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, kind: 1) } },
    Manner("wrong chunk size") { $0.onOpen = { try $0.peer.offer($0.file, as: $1.handle, chunkSizeLog2: 21) } },
  ]
}

extension Talk {
  /// Sends the right answer with one leaf changed. The leaf is counted from the first one of the request.
  fileprivate func answerChanged(_ request: ChunkRequest, leaf: Int) throws {
    try peer.send(
      each: file.answer(
        request,
        changeBytes: { bytes, run in
          let place = leaf + request.leaves.first - run.first
          if (0..<run.count).contains(place) { bytes[place << 14] ^= 1 }
        }))
  }

  /// Sends the right answer with changed leaf hashes. If none were requested, changes a leaf instead.
  fileprivate func answer(_ request: ChunkRequest, _ change: (inout [Digest]) -> Void) throws {
    guard request.wantsLeafHashes else { return try answerChanged(request, leaf: 0) }
    try peer.send(each: file.answer(request, changeHashes: change))
  }
}

// MARK: Unrequested and untimely messages

extension Manner {
  static let disorder: [Manner] = [
    Manner("DATA in reverse order") { $0.onRequest = { try $0.peer.send(each: $0.file.answer($1).reversed()) } },
    Manner("DATA with a gap") { $0.onRequest = { try $0.peer.send(each: $0.file.answer($1).dropFirst()) } },
    Manner("DATA without an end") { $0.onRequest = { try $0.peer.send(each: $0.file.answer($1).dropLast()) } },
    Manner("an early last bit") {
      $0.onRequest = { talk, request in
        try talk.peer.send(frames: talk.file.data(request, request.runs[0], isLast: true))
      }
    },
    Manner("repeated DATA") {
      $0.onRequest = { talk, request in try talk.peer.send(each: talk.file.answer(request) + talk.file.answer(request))
      }
    },
    Manner("DATA that was not asked for") {
      $0.reach = { if $0 == .opened { try $1.peer.send(each: $1.file.answer(.unasked)) } }
    },
    Manner("PAGE that was not asked for") {
      $0.reach = { moment, talk in
        if moment == .opened { try talk.send(talk.file.page(PageGet(handle: talk.handle, page: 0))) }
      }
    },
    Manner("repeated PAGE") { $0.onPageGet = { talk, get in try talk.send(talk.file.page(get), talk.file.page(get)) } },
    Manner("repeated OPENED") { $0.reach = { if $0 == .opened { try $1.offer() } } },
    Manner("OPENED that was not asked for") { $0.reach = { if $0 == .shaken { try $1.offer() } } },
    Manner("BUSY that was not asked for") {
      $0.reach = { if $0 == .opened { try $1.send(.busy(Busy(id: RequestID(9), retryAfterMilliseconds: 1))) } }
    },
    Manner("a malformed frame") {
      $0.onRequest = { talk, _ in try talk.peer.send(frames: frame(type: 0x0C, body: [1])) }
    },
    Manner("a record that does not open") {
      $0.onRequest = { talk, _ in try talk.peer.socket.send([0, 40] + [UInt8](repeating: 7, count: 40)) }
    },
  ]
}

extension ChunkRequest {
  /// A request that no downloader has sent.
  fileprivate static let unasked = ChunkRequest(
    id: RequestID(1), handle: FileHandle(0), chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 4),
    wantsLeafHashes: false)
}
