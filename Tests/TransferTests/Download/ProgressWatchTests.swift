// How long a download continues without a new leaf.
import Testing

@testable import Transfer

@Suite struct ProgressWatchTests {
  @Test func `a download waits four timeouts for a leaf`() {
    var watch = ProgressWatch()
    watch.progressed(at: .seconds(10))
    let time = ProgressWatch.timeMax(timeout: .seconds(30))
    #expect(watch.due(after: time) == .seconds(130))
    watch.excuse(until: .seconds(20))
    #expect(watch.due(after: time) == .seconds(140))
  }

  @Test func `without a trusted peer a download waits no longer than four timeouts`() {
    var watch = ProgressWatch()
    #expect(watch.mayGoOn(isHopeful: false, waitsForReader: false) == false)
    #expect(watch.mayGoOn(isHopeful: false, waitsForReader: true) == false)
  }

  @Test func `with a trusted peer a download waits three times more`() {
    var watch = ProgressWatch()
    for _ in 0..<3 { #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == true) }
    #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == false)
  }

  @Test func `a leaf renews the longer wait, and a comparison with the disk does not`() {
    var watch = ProgressWatch()
    for _ in 0..<3 { _ = watch.mayGoOn(isHopeful: true, waitsForReader: false) }
    watch.excuse(until: .seconds(1))
    #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == false)
    watch.progressed(at: .seconds(1))
    #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == true)
  }

  @Test func `waiting for the reader of a stream uses up no time`() {
    var watch = ProgressWatch()
    for _ in 0..<9 { #expect(watch.mayGoOn(isHopeful: true, waitsForReader: true) == true) }
    for _ in 0..<3 { #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == true) }
    watch.readerTook()
    #expect(watch.mayGoOn(isHopeful: true, waitsForReader: false) == true)
  }
}
