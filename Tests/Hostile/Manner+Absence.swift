// Peers that claim to have the file and do not deliver: they close, hang, dribble or refuse.
import Content
import TestSupport
import Wire

extension Manner {
  /// Closes the connection at a moment.
  static func cut(at moment: Moment) -> Manner {
    Manner("cut at \(moment.rawValue)") { manner in
      switch moment {
      case .connected: manner.onConnect = { _ in throw Cut() }
      case .halfFrame, .data: manner.onRequest = beginning(moment) { _ in throw Cut() }
      default: manner.reach = { if $0 == moment { throw Cut() } else { _ = $1 } }
      }
    }
  }

  /// Sends nothing from a moment on. The connection stays open.
  static func silence(at moment: Moment) -> Manner {
    Manner("silence at \(moment.rawValue)") { manner in
      manner.isSlow = true
      switch moment {
      case .connected:
        manner.onConnect = { socket in
          socket.delay(milliseconds: 3_600_000)
          throw Cut()
        }
      case .halfFrame, .data: manner.onRequest = beginning(moment) { try $0.hang() }
      default: manner.reach = { if $0 == moment { try $1.hang() } }
      }
    }
  }

  /// Sends half of a frame, or a whole one, and then calls `end`.
  private static func beginning(
    _ moment: Moment, then end: @escaping @Sendable (Talk) throws -> Void
  ) -> @Sendable (Talk, ChunkRequest) throws -> Void {
    { talk, request in
      let frame = talk.file.answer(request)[0]
      try talk.peer.send(frames: moment == .data ? frame : Array(frame.prefix(frame.count / 2)))
      try end(talk)
    }
  }

  static let cuts = Moment.allCases.map(Manner.cut)
  static let silences =
    Moment.allCases.map(Manner.silence) + [
      Manner("deaf to REQUEST") {
        $0.onRequest = { _, _ in }
        $0.isSlow = true
      },
      Manner("deaf to PAGE_GET") {
        $0.onPageGet = { _, _ in }
        $0.isSlow = true
      },
    ]

  static let slowness: [Manner] = [
    Manner("1 byte/s of the handshake") {
      $0.isSlow = true
      $0.onConnect = { socket in
        for byte in [UInt8]([0, 160] + Array(repeating: 9, count: 160)) {
          try socket.send([byte])
          socket.delay(milliseconds: 1_000)
        }
      }
    },
    Manner("1 byte/s of OPENED") {
      $0.isSlow = true
      $0.onOpen = { talk, _ in try talk.dribble([0, 0, 0, 83, 4] + [UInt8](repeating: 0, count: 82)) }
    },
    Manner("1 byte/s of PAGE") {
      $0.isSlow = true
      $0.onPageGet = { talk, get in try talk.dribble(talk.file.page(get).frame) }
    },
    Manner("1 byte/s of DATA") {
      $0.isSlow = true
      $0.onRequest = { talk, request in try talk.dribble(talk.file.answer(request)[0]) }
    },
    Manner("a leaf in 2 s") {
      $0.isSlow = true
      $0.onRequest = { talk, request in
        for leaf in request.leaves.first..<request.leaves.end {
          try talk.peer.send(frames: talk.file.data(request, LeafRange(first: leaf, count: 1)))
          talk.peer.socket.delay(milliseconds: 2_000)
        }
      }
    },
  ]

  static let refusals: [Manner] =
    [0, 300, 60_000, UInt32.max].map { milliseconds in
      Manner("BUSY for \(milliseconds) ms") {
        $0.onRequest = { talk, request in
          try talk.send(.busy(Busy(id: request.id, retryAfterMilliseconds: milliseconds)))
        }
      }
    }
    + [CloseCode.done, .tooManyConnections, .duplicateConnection, .tooSlow].map { code in
      Manner("GOODBYE \(code.rawValue) at REQUEST") {
        $0.onRequest = { talk, _ in try talk.send(.goodbye(Goodbye(code: code))) }
      }
    }
    + [
      Manner("WITHDRAWN at REQUEST and back") {
        $0.onRequest = { talk, _ in try talk.send(.withdrawn(Withdrawn(handle: talk.handle, reason: .changed))) }
      },
      Manner("WITHDRAWN at OPENED and back") {
        $0.reach = { moment, talk in
          if moment == .opened { try talk.send(.withdrawn(Withdrawn(handle: talk.handle, reason: .notOffered))) }
        }
      },
      Manner("claims nothing") { $0.onOpen = { talk, _ in try talk.offer(.partial) } },
      Manner("all by HAVE, BUSY at REQUEST") {
        $0.onOpen = { talk, _ in
          try talk.offer(.partial)
          try talk.send(.have(talk.haveAll()))
        }
        $0.onRequest = { talk, request in try talk.send(.busy(Busy(id: request.id, retryAfterMilliseconds: 50))) }
      },
      Manner("the last chunk alone, cut at REQUEST") {
        $0.onOpen = { talk, _ in try talk.offerLast() }
        $0.reach = { if $0 == .request { throw Cut() } else { _ = $1 } }
      },
      Manner("the last chunk alone, cut at PAGE_GET") {
        $0.onOpen = { talk, _ in try talk.offerLast() }
        $0.reach = { if $0 == .pageGet { throw Cut() } else { _ = $1 } }
      },
      Manner("the last chunk alone, deaf to PAGE_GET") {
        $0.onOpen = { talk, _ in try talk.offerLast() }
        $0.onPageGet = { _, _ in }
        $0.isSlow = true
      },
      Manner("the last chunk alone, deaf to REQUEST") {
        $0.onOpen = { talk, _ in try talk.offerLast() }
        $0.onRequest = { _, _ in }
        $0.isSlow = true
      },
    ]

  static let hints: [Manner] = [
    Manner("poisoned PEERS") {
      $0.reach = { moment, talk in
        if moment == .opened {
          for start in stride(from: 0, to: talk.others.count, by: 50) {
            let entries = Array(talk.others[start..<min(start + 50, talk.others.count)])
            try talk.send(.peers(PeerExchange(handle: talk.handle, entries: entries)))
          }
        }
        if moment == .request { throw Cut() }
      }
    },
    Manner("a flood of HAVE") {
      $0.onOpen = { talk, _ in
        try talk.offer(.partial)
        let run = LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))
        try talk.flood(Message.have(Have(handle: talk.handle, runs: Array(repeating: run, count: 10_000))).frame)
      }
    },
    Manner("a flood of BITMAP") {
      $0.onOpen = { talk, _ in
        try talk.offer(.partial)
        let bits = [UInt8](repeating: 0, count: 32_768)
        try talk.flood(
          Message.bitmap(Bitmap(handle: talk.handle, firstChunk: ChunkIndex(0), count: 262_144, bits: bits)).frame)
      }
    },
    Manner("a flood of PROMISED") {
      $0.onOpen = { talk, _ in
        try talk.offer()
        let chunks = (0..<16_000).map { ChunkIndex(UInt32($0 % talk.file.chunkCount)) }
        try talk.flood(Message.promised(Promised(handle: talk.handle, chunks: chunks)).frame)
      }
    },
    Manner("a flood of PEERS") {
      $0.onOpen = { talk, _ in
        try talk.offer()
        try talk.flood(
          Message.peers(PeerExchange(handle: talk.handle, entries: Array(talk.others.prefix(50)))).frame)
      }
    },
    Manner("a flood of PING") {
      $0.onOpen = { talk, _ in
        try talk.offer()
        try talk.flood(Message.ping(1).frame)
      }
    },
    Manner("a flood of unknown frames") {
      $0.onOpen = { talk, _ in
        try talk.offer()
        try talk.flood(frame(type: 0x41, body: [UInt8](repeating: 0, count: 100)))
      }
    },
  ]
}

extension Talk {
  fileprivate func haveAll() -> Have {
    Have(
      handle: handle,
      runs: (0..<min(file.chunkCount, 10_000)).map {
        LeafRun(chunk: ChunkIndex(UInt32($0)), leaves: LeafRange(first: 0, count: 64))
      })
  }

  fileprivate func offerLast() throws {
    try offer(.partial)
    try claim([file.chunkCount - 1])
  }
}
