// The fetching side of a session: what this node asks of the peer, and what the answers mean. A wrong answer ends the
// session, and the reason names the peer's fault.
import Content
import Wire

extension PeerSession {
  /// The shortest time between two `othersServed` for waiting contents while bytes of another content arrive. It is far
  /// shorter than the time after which a silent peer loses a request.
  static let othersServedInterval: Duration = .milliseconds(500)

  // MARK: Questions

  /// Whether any content is open at the other end, so that its bytes may come.
  public var isFetching: Bool { !isEnded && fetched.contents.indices.contains { fetched.contents[$0].manifest != nil } }

  /// Returns whether a content is open at the other end, so that its bytes may come.
  public func isFetching(_ handle: FileHandle) -> Bool {
    !isEnded && fetched.place(of: handle).map { fetched.contents[$0].manifest != nil } ?? false
  }

  /// How many contents are open at the other end, or wait for OPENED. Contents that the downloads gave up do not count.
  public var fetchedCount: Int { isEnded ? 0 : fetched.contents.count { !$0.isGivenUp } }

  /// Returns whether a content waits for the peer: for OPENED, for a page, or for the answer to a request, sent or not.
  public func isAwaited(by handle: FileHandle) -> Bool {
    guard !isEnded, let place = fetched.place(of: handle) else { return false }
    return fetched.contents[place].manifest == nil || !fetched.contents[place].pagesDue.isEmpty
      || fetches.isAwaited(by: handle)
  }

  /// The content of the request whose answer is due now.
  public var nextAnswerHandle: FileHandle? { isEnded ? nil : fetches.nextInLine }

  /// The content of the piece whose bytes are arriving; nil if they are not wanted.
  public var arrivingHandle: FileHandle? { arriving?.handle }

  /// Returns the place of an open content. Nil if the caller drops the message: the message was sent before the handle
  /// was closed, or it broke the protocol and ended the session, because its handle was never open.
  private mutating func openPlace(of handle: FileHandle, _ fault: @autoclosure () -> String) -> Int? {
    guard let place = fetched.place(of: handle) else {
      if !fetched.wasUsed(handle) { close(.violation(fault())) }
      return nil
    }
    guard fetched.contents[place].manifest != nil else {
      close(.violation(fault()))
      return nil
    }
    return place
  }

  // MARK: Commands of the downloads

  /// Opens a content at the other end: sends OPEN, and news of the content follows. If as many contents are open as the
  /// protocol allows, or this one is open already, nothing is sent, and the news is `.refused(.tooManyFilesOpen)`. A
  /// content that was given up counts until its OPEN is answered. If it is opened again before that, no second OPEN is
  /// sent: the answer to the first one becomes its news.
  /// - Returns: the content's handle. Handles increase. A connection uses each only once, except the handle of an
  ///   unanswered OPEN.
  public mutating func open(_ target: FetchTarget) -> FileHandle {
    guard !isEnded else { return fetched.nextHandle }
    if let place = fetched.contents.firstIndex(where: { $0.isGivenUp && $0.target.fileID == target.fileID }) {
      fetched.contents[place].isGivenUp = false
      return fetched.contents[place].handle
    }
    let handle = fetched.takeHandle()
    guard fetched.contents.count < ProtocolLimits.openFilesMax,
      !fetched.contents.contains(where: { $0.target.fileID == target.fileID })
    else {
      act(.tell(.refused(.tooManyFilesOpen), of: handle))
      return handle
    }
    fetched.contents.append(FetchedContent(handle: handle, target: target))
    let proof = target.key.openProof(handshakeHash, sender: role)
    send(.open(Open(handle: handle, bucket: target.key.bucket, proof: proof)))
    return handle
  }

  public mutating func fetchPage(_ page: UInt32, of handle: FileHandle) {
    // A peer that does not answer its PAGE_GETs gets no further ones. The download's timeout for the page runs all the
    // same.
    guard !isEnded, let place = fetched.place(of: handle), fetched.contents[place].manifest != nil,
      fetched.contents.reduce(0, { $0 + $1.pagesDue.count }) < ProtocolLimits.requestsInFlightMax
    else { return }
    send(.pageGet(PageGet(handle: handle, page: page)))
    fetched.contents[place].pagesDue.append(page)
  }

  /// Requests leaves. If the peer accepts no more requests now, the request waits here.
  public mutating func request(_ request: FetchRequest, of handle: FileHandle) {
    guard !isEnded, let place = fetched.place(of: handle), let manifest = fetched.contents[place].manifest else {
      return
    }
    fetches.add(request, of: handle, in: manifest.layout)
    sendRequests()
  }

  public mutating func cancel(_ id: RequestID, of handle: FileHandle) {
    guard !isEnded, let wireID = fetches.cancel(id, of: handle) else { return }
    send(.cancel(wireID))
    sendRequests()
  }

  /// Closes a content that the download gives up. Cancels its requests and drops whatever still arrives of it. CLOSE is
  /// sent now, or when OPEN is answered. No effect if the content was refused, withdrawn or closed before.
  public mutating func close(_ handle: FileHandle) {
    guard !isEnded, let place = fetched.place(of: handle) else { return }
    guard fetched.contents[place].manifest != nil else {
      fetched.contents[place].isGivenUp = true
      return
    }
    for id in fetches.cancelAll(of: handle) { send(.cancel(id)) }
    send(.close(handle))
    fetched.contents.remove(at: place)
    if arriving?.handle == handle { arriving = nil }
    sendRequests()
  }

  /// Sends the requests that the peer accepts now. Returns the contents that had no request in flight and have one now.
  @discardableResult
  private mutating func sendRequests() -> [FileHandle] {
    var first: [FileHandle] = []
    while let request = fetches.next() {
      send(.request(request))
      if fetches.inFlightCount(of: request.handle) == 1 { first.append(request.handle) }
    }
    return first
  }

  // MARK: Answers of the peer

  private mutating func lied(about handle: FileHandle, _ what: String) {
    handleLiedAbout = handle
    close(.lied(what))
  }

  mutating func handle(_ opened: Opened) {
    let handle = opened.handle
    guard let place = fetched.place(of: handle), fetched.contents[place].manifest == nil else {
      if fetched.place(of: handle) != nil || fetched.endedByPeer.contains(handle) || !fetched.wasUsed(handle) {
        close(.violation("OPENED that was not asked for"))
      }
      return
    }
    let content = fetched.contents[place]
    switch opened.outcome {
    case .refused(let refusal):
      fetched.endByPeer(at: place)
      if !content.isGivenUp { act(.tell(.refused(refusal), of: handle)) }
    case .opened where content.isGivenUp:
      fetched.contents.remove(at: place)
      send(.close(handle))
    case .opened(let file):
      let due = content.target.key.haveProof(handshakeHash, sender: role.other)
      guard FileKey.matches(file.proof, due: due) else {
        return lied(about: handle, "it cannot prove that it knows the file")
      }
      do throws(ManifestFault) {
        let manifest = try fetched.contents[place].open(file)
        act(.tell(.opened(manifest, isComplete: file.availability == .complete), of: handle))
      } catch {
        lied(about: handle, "its manifest is not the file's: \(error)")
      }
    }
  }

  mutating func handle(_ answer: PageAnswer) {
    guard let place = openPlace(of: answer.handle, "PAGE that was not asked for") else { return }
    guard fetched.contents[place].pagesDue.first == answer.page, let manifest = fetched.contents[place].manifest else {
      return close(.violation("PAGE that was not asked for"))
    }
    fetched.contents[place].pagesDue.removeFirst()
    let target = fetched.contents[place].target
    let page = HashPage(index: PageIndex(answer.page), chunkHashes: answer.chunkHashes, uncles: answer.uncles)
    do throws(HashPageFault) {
      try page.verify(
        against: manifest.root, in: PageLayout(manifest.layout, chunksPerPage: target.chunksPerPage))
      act(.tell(.page(page), of: answer.handle))
    } catch {
      lied(about: answer.handle, "page \(answer.page) of its hashes does not lead to the root")
    }
  }

  mutating func handle(_ busy: Busy) {
    do throws(PeerFault) {
      guard let (handle, id) = try fetches.busy(busy.id) else { return }
      act(.tell(.busy(id, retryAfter: .milliseconds(Int64(busy.retryAfterMilliseconds))), of: handle))
      sendRequests()
    } catch {
      close(SessionEnd(error))
    }
  }

  mutating func handle(_ withdrawn: Withdrawn) {
    let fault = "WITHDRAWN of a file that is not open"
    guard !fetched.endedByPeer.contains(withdrawn.handle) else { return close(.violation(fault)) }
    guard let place = openPlace(of: withdrawn.handle, fault) else { return }
    _ = fetches.cancelAll(of: withdrawn.handle)
    fetched.endByPeer(at: place)
    act(.tell(.withdrawn(withdrawn.reason), of: withdrawn.handle))
    sendRequests()
  }

  /// Emits news of a content that this end opened. If the peer sends too much news, the rest is ignored.
  /// - `cost`: how many entries the news has.
  mutating func tell(_ news: PeerNews, about handle: FileHandle, cost: Int = 1) {
    guard let place = openPlace(of: handle, "news of a file that was never opened") else { return }
    if fetched.contents[place].hears(entries: cost) { act(.tell(news, of: handle)) }
  }

  mutating func handle(_ bitmap: Bitmap) {
    guard let place = openPlace(of: bitmap.handle, "news of a file that was never opened") else { return }
    guard fetched.contents[place].accepts(bitmap) else {
      return close(.violation("a BITMAP of chunks that an earlier one covered"))
    }
    tell(.bitmap(bitmap), about: bitmap.handle)
  }

  mutating func handle(_ header: DataHeader, at now: Instant) {
    do throws(PeerFault) {
      arriving = try fetches.handle(
        header.id, firstLeaf: header.leaves.first, leafCount: header.leaves.count, isLast: header.isLast,
        leafHashes: header.leafHashes.isEmpty ? nil : header.leafHashes, byteCount: header.byteCount)
    } catch {
      if error == .lie { handleLiedAbout = fetches.answering }
      return close(SessionEnd(error))
    }
    act(.expectPayload(isWanted: arriving != nil))
    if let arriving, arriving.isFirstOfAnswer { act(.tell(.answerBegan(arriving.request), of: arriving.handle)) }
    if othersServedAt.map({ now - $0 >= PeerSession.othersServedInterval }) ?? true { othersServed(at: now) }
  }

  /// Handles the end of a DATA frame: all bytes of its leaves have come.
  mutating func payloadEnded() {
    guard !isEnded, let piece = arriving else { return }
    arriving = nil
    act(.verify(piece))
    guard piece.isLastOfAnswer else { return }
    act(.tell(.answerEnded(piece.request), of: piece.handle))
    var others = sendRequests()
    if let next = fetches.nextInLine, !others.contains(next) { others.append(next) }
    // The clocks of these contents start now. The other contents hear of it at intervals, from `othersServed(at:)`.
    for handle in others where handle != piece.handle { act(.tell(.othersServed, of: handle)) }
  }

  /// Emits `othersServed` for all contents that wait for an answer while bytes of another content arrive.
  private mutating func othersServed(at now: Instant) {
    othersServedAt = now
    for content in fetched.contents where content.handle != fetches.answering {
      guard !content.pagesDue.isEmpty || fetches.isAwaited(by: content.handle) else { continue }
      act(.tell(.othersServed, of: content.handle))
    }
  }
}
