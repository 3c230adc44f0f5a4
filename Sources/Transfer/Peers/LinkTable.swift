// The links of a download by connection. What is looked at for every peer at every event is read in place.
import Content
import Wire

/// To read a part of a dictionary's value copies the value, and a link is large: hence the array, and the parts by name.
struct LinkTable: Sendable {
  private var links: [Link] = []
  /// Of the links, at the same places.
  private var ids: [ConnectionID] = []
  private var places: [ConnectionID: Int] = [:]

  var count: Int { links.count }
  var isEmpty: Bool { links.isEmpty }
  /// Whether peers dialled all of them.
  var areAllInbound: Bool { ids.allSatisfy { $0 >= ConnectionID.firstInbound } }

  /// Nil: there is none. To set nil forgets it.
  subscript(id: ConnectionID) -> Link? {
    get { places[id].map { links[$0] } }
    _modify {
      let place = places[id]
      var link: Link?
      if let place {
        // Taken out, so that it is changed in place too.
        var taken = Link(from: nil)
        swap(&links[place], &taken)
        link = taken
      }
      defer {
        switch (place, link) {
        case (let place?, let link?): links[place] = link
        case (nil, let link?): append(id, link)
        case (let place?, nil): remove(at: place)
        case (nil, nil): break
        }
      }
      yield &link
    }
  }

  mutating func remove(_ id: ConnectionID) -> Link? {
    guard let place = places[id] else { return nil }
    defer { remove(at: place) }
    return links[place]
  }

  // MARK: Parts

  func peer(of id: ConnectionID) -> Int? { places[id].flatMap { links[$0].peer } }
  func isProven(_ id: ConnectionID) -> Bool { places[id].map { links[$0].isProven } ?? false }
  func requestsMax(of id: ConnectionID) -> Int { places[id].map { links[$0].requestsMax } ?? 0 }
  func pendingCount(of id: ConnectionID) -> Int { places[id].map { links[$0].pending.count } ?? 0 }
  func isPending(_ request: RequestID, on id: ConnectionID) -> Bool {
    places[id].map { links[$0].pending.contains { $0.id == request } } ?? false
  }
  func hasPage(_ id: ConnectionID) -> Bool { places[id].map { links[$0].page != nil } ?? false }
  /// What the peer has of the file; nil where it did not open it.
  func holdings(of id: ConnectionID) -> Holdings? { places[id].flatMap { links[$0].holdings } }
  func has(_ chunk: ChunkIndex, on id: ConnectionID) -> Bool {
    places[id].map { links[$0].holdings?.has(chunk) == true } ?? false
  }
  /// The leaves of a chunk that the peer has, bit 0 the first (`Holdings.leaves`).
  func leaves(of chunk: ChunkIndex, on id: ConnectionID) -> UInt64 {
    places[id].flatMap { links[$0].holdings?.leaves(of: chunk) } ?? 0
  }

  /// Since when the first request in line has waited for its first byte; nil where none waits, or bytes came.
  func silentSince(_ id: ConnectionID) -> Instant? {
    guard let place = places[id], let first = links[place].firstInLine else { return nil }
    let pending = links[place].pending[first]
    return pending.began == nil && pending.verified == 0 ? pending.started : nil
  }
  /// When the clock of the first request in line started.
  func firstStarted(_ id: ConnectionID) -> Instant? {
    guard let place = places[id], let first = links[place].firstInLine else { return nil }
    return links[place].pending[first].started
  }
  /// When the page was asked for that is not here; nil where none is.
  func pageAskedAt(_ id: ConnectionID) -> Instant? {
    places[id].flatMap { links[$0].page == nil ? nil : links[$0].pageAskedAt }
  }
  /// The least chunk from `start` on that the peer has whole or in part.
  func firstHeld(from start: Int, layout: ChunkLayout, on id: ConnectionID) -> Int? {
    places[id].flatMap { links[$0].holdings?.first(from: start, layout: layout) }
  }

  /// The first of all links for which this holds.
  func first(where matches: (borrowing Link) -> Bool) -> ConnectionID? {
    for place in links.indices where matches(links[place]) { return ids[place] }
    return nil
  }

  /// Calls for each link.
  func forEach(_ body: (ConnectionID, borrowing Link) -> Void) {
    for place in links.indices { body(ids[place], links[place]) }
  }

  /// The sum over all links.
  func sum(_ part: (borrowing Link) -> Int) -> Int {
    var sum = 0
    for place in links.indices { sum += part(links[place]) }
    return sum
  }

  private mutating func append(_ id: ConnectionID, _ link: Link) {
    places[id] = links.count
    links.append(link)
    ids.append(id)
  }

  private mutating func remove(at place: Int) {
    places[ids[place]] = nil
    let last = links.count - 1
    links.swapAt(place, last)
    ids.swapAt(place, last)
    if place != last { places[ids[place]] = place }
    links.removeLast()
    ids.removeLast()
  }
}
