// How lines are kept or dropped if their reader is slow.
import Posix
import Testing

@testable import p2pnode

struct LineBacklogTests {
  private var backlog = LineBacklog()
  private let line = String(repeating: "x", count: 200)

  /// Puts lines until one is not taken. Returns how many were taken.
  private mutating func fill(_ kind: LineBacklog.Kind, max: Int = 1_000_000) -> Int {
    var count = 0
    while count < max, backlog.put(line, on: .standardOutput, kind) == .taken { count += 1 }
    return count
  }

  /// Writes one line of stdout. Returns its text, or nil if none waits.
  private mutating func write() -> LineBacklog.Line.Text? {
    guard let next = backlog.next(on: .standardOutput) else { return nil }
    backlog.written(on: .standardOutput)
    return next.text
  }

  @Test mutating func `lines that strangers cause are dropped beyond a bound, and other lines never`() {
    let strangers = fill(.stranger)
    #expect(strangers * line.utf8.count <= LineBacklog.strangerBytesMax && strangers > 500)
    let own = fill(.own, max: 100_000)
    #expect(own == 100_000, "they neither wait nor go")
    let files = fill(.file)
    #expect(files == 0, "their thread waits")
    let stderr = backlog.put(line, on: .standardError, .stranger)
    #expect(stderr == .taken, "the other stream has its own bound")
  }

  @Test mutating func `a thread with a line about a file waits for room or for the end`() {
    let files = fill(.file)
    #expect(files * line.utf8.count <= LineBacklog.fileBytesMax && files > 10_000)
    for _ in 0..<files / 2 { _ = write() }
    let more = fill(.file)
    #expect(abs(more - files / 2) <= 2)
    backlog.waits = false
    let last = fill(.file, max: 1_000)
    #expect(last == 1_000)
  }

  @Test mutating func `the number of dropped lines is printed once, when half of the bound is free again`() {
    let taken = fill(.stranger)
    for _ in 0..<41 { _ = backlog.put(line, on: .standardOutput, .stranger) }
    _ = backlog.put("kept", on: .standardOutput, .own)
    var texts: [LineBacklog.Line.Text] = []
    while let text = write() { texts.append(text) }
    #expect(texts.count == taken + 2)
    // The first line that was not taken counts too.
    let place = texts.firstIndex(of: .dropped(42))
    #expect(place.map { $0 > taken / 3 && $0 <= taken } == true, "\(String(describing: place)) of \(taken)")
    #expect(texts.last == .said("kept") && backlog.isEmpty)
    let next = backlog.put(line, on: .standardOutput, .stranger)
    #expect(next == .taken)
  }

  @Test mutating func `lines of both streams keep their common order`() {
    for number in 0..<3_000 {
      _ = backlog.put("\(number)", on: number % 3 == 0 ? .standardError : .standardOutput, .own)
    }
    var texts: [String] = []
    var heads = [backlog.next(on: .standardOutput), backlog.next(on: .standardError)]
    while let index = heads.indices.filter({ heads[$0] != nil }).min(by: { heads[$0]!.number < heads[$1]!.number }) {
      if case .said(let text)? = heads[index]?.text { texts.append(text) }
      let stream = [.standardOutput, .standardError][index] as StandardStream
      backlog.written(on: stream)
      heads[index] = backlog.next(on: stream)
    }
    #expect(texts == (0..<3_000).map { "\($0)" })
    #expect(backlog.isEmpty)
  }

  @Test mutating func `lines that follow are written together with the first, in the order of both streams`() {
    for line in ["one", "two", "three", "four"] { _ = backlog.put(line, on: .standardOutput, .own) }
    _ = backlog.put("warning", on: .standardError, .own)
    _ = backlog.put("five", on: .standardOutput, .own)
    let first = backlog.next(on: .standardOutput)
    let few = backlog.following(on: .standardOutput, byteCount: 10)
    let more = backlog.following(on: .standardOutput, byteCount: 1_000)
    #expect(first?.text == .said("one") && few == [.said("two"), .said("three")] && more == [.said("four")])
    backlog.written(on: .standardOutput)
    let isIdle = backlog.isIdle(.standardOutput)
    #expect(!isIdle)
    let warning = backlog.next(on: .standardError)
    let last = backlog.next(on: .standardOutput)
    #expect(warning?.text == .said("warning") && last?.text == .said("five"))
    _ = backlog.put("six", on: .standardOutput, .own)
    let early = backlog.following(on: .standardOutput, byteCount: 1_000)
    #expect(early.isEmpty, "the warning is not written yet")
    backlog.written(on: .standardError)
    let six = backlog.following(on: .standardOutput, byteCount: 1_000)
    #expect(six == [.said("six")])
    backlog.written(on: .standardOutput)
    #expect(backlog.isEmpty && backlog.isIdle(.standardOutput))
  }

  @Test mutating func `no later line comes before the number of dropped lines`() {
    let taken = fill(.stranger)
    _ = backlog.put(line, on: .standardOutput, .own)
    _ = backlog.next(on: .standardOutput)
    let following = backlog.following(on: .standardOutput, byteCount: 1 << 20)
    #expect(taken > 1 && following.isEmpty)
  }
}
