// The events of a node on their way to the program: which ones wait, which are lost, and when they end.
import Posix
import Testing
import Wire

@testable import PeerNode

@Suite struct NodeEventsTests {
  private static let peer = PeerID(digest: .init(sha256: [UInt8](repeating: 7, count: 4).span.bytes))
  private let source = NodeEventSource()

  private func turnedAway(_ port: UInt16) -> NodeEvent {
    .turnedAway(Endpoint(ipv4: (127, 0, 0, 1), port: port), .silent)
  }

  private func withdrawn(_ path: String) -> NodeEvent { .withdrawn(path: path, "it has changed") }

  private func name(_ event: NodeEvent) -> String {
    switch event {
    case .turnedAway(let address, _): "away \(address.port)"
    case .withdrawn(let path, _): path
    default: "\(event)"
    }
  }

  private func all(of backlog: inout EventBacklog) -> [String] {
    var names: [String] = []
    while let event = backlog.take() { names.append(name(event)) }
    return names
  }

  private func all(of events: NodeEvents) async -> [String] {
    var names: [String] = []
    for await event in events { names.append(name(event)) }
    return names
  }

  // MARK: What waits

  @Test func `the oldest events caused by peers are dropped first and counted`() {
    var backlog = EventBacklog(countMax: 16)
    backlog.put(withdrawn("a"))
    for port in 1...20 { backlog.put(turnedAway(UInt16(port))) }
    backlog.put(withdrawn("b"))
    let lost = backlog.lostCount
    let names = all(of: &backlog)
    // The backlog drops an eighth at a time, here two events.
    #expect(lost == 6 && names == ["a"] + (7...20).map { "away \($0)" } + ["b"])
  }

  @Test func `the node's own events are dropped only if they alone exceed the limit`() {
    var backlog = EventBacklog(countMax: 8)
    for i in 1...8 { backlog.put(withdrawn("\(i)")) }
    backlog.put(turnedAway(1))
    #expect(backlog.lostCount == 1 && backlog.count == 8)
    backlog.put(withdrawn("9"))
    #expect(backlog.lostCount == 2)
    #expect(all(of: &backlog) == (2...9).map { "\($0)" })
  }

  @Test(arguments: [1, 2, 8, 300])
  func `the number of waiting events is bounded, and each event is read or counted as lost`(countMax: Int) {
    var backlog = EventBacklog(countMax: countMax)
    var read = 0
    for i in 0..<5_000 {
      backlog.put(i % 7 == 0 ? withdrawn("\(i)") : turnedAway(UInt16(i)))
      #expect(backlog.count <= countMax)
      if i % 3 == 0, backlog.take() != nil { read += 1 }
    }
    read += all(of: &backlog).count
    #expect(read + backlog.lostCount == 5_000)
  }

  // MARK: Readers

  @Test func `each reader gets all events, and the first reader those since the start`() async {
    source.report(turnedAway(1))
    let first = source.events()
    let second = source.events()
    source.report(turnedAway(2))
    source.close()
    #expect(await all(of: first) == ["away 1", "away 2"])
    #expect(await all(of: second) == ["away 2"])
  }

  @Test func `without a reader few events are kept`() async {
    for port in 1...10_000 { source.report(turnedAway(UInt16(port))) }
    source.close()
    let names = await all(of: source.events())
    #expect(names.count <= NodeEventSource.firstEventsMax && names.last == "away 10000")
  }

  @Test func `a reader that falls behind loses events and can ask how many`() async {
    let events = source.events()
    for port in 1...(NodeEvents.waitingMax + 500) { source.report(turnedAway(UInt16(port))) }
    source.close()
    let lost = events.lostCount
    let read = await all(of: events).count
    #expect(lost >= 500 && read + lost == NodeEvents.waitingMax + 500)
  }

  @Test func `no events are kept for a reader that has gone`() {
    var events: NodeEvents? = source.events()
    let other = source.events()
    #expect(source.readerCount == 2)
    withExtendedLifetime(events) {}
    events = nil
    #expect(source.readerCount == 1)
    withExtendedLifetime(other) {}
  }

  @Test func `cancelling the reading task ends the sequence`() async {
    let events = source.events()
    let reader = Task { await all(of: events) }
    reader.cancel()
    #expect(await reader.value == [])
    for port in 1...10_000 { source.report(turnedAway(UInt16(port))) }
    #expect(events.lostCount == 0)
  }

  @Test func `the sequence ends when the node has stopped, and a later one ends at once`() async throws {
    let node = try Node(NodeConfiguration())
    let before = node.events()
    let reader = Task { await all(of: before) }
    await node.stop(grace: .zero)
    #expect(await reader.value == [])
    #expect(await all(of: node.events()) == [])
  }
}
