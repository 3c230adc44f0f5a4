// A stream of frames. However it is split, it means the same, and the decoder holds no more bytes than have arrived.
@testable import Wire

enum Frames {
  static let target = Target(
    "frames",
    seeds: { vectors in
      let all = vectors.examples("frames") { !$0.hasPrefix("digest.") }
      return all.map { [0, 3] + $0 } + [[7, 200] + all.joined()]
        + vectors.examples("invalid/frames").map { [1, 40] + $0 }
    }, run)

  /// The result of reading a stream.
  private struct Reading: Equatable {
    var messages: [Message] = []
    /// The number of bytes of leaves that were taken.
    var payloadBytes = 0
    var error: WireError?
    var frames = 0
    var isMidFrame = false
  }

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let (one, two) = (1 + Int(input.u8()), 1 + Int(input.u8()))
    let stream = input.rest()
    let whole = read(stream, pieces: (max(stream.count, 1), 1))
    require(whole == read(stream, pieces: (one, two)), "a stream means the same whatever its pieces")
  }

  private static func read(_ stream: [UInt8], pieces: (Int, Int)) -> Reading {
    var decoder = FrameDecoder()
    var reading = Reading()
    var rest = stream[...]
    var isOdd = false
    do throws(WireError) {
      while !rest.isEmpty {
        let piece = Array(rest.prefix(isOdd ? pieces.1 : pieces.0))
        rest = rest.dropFirst(piece.count)
        isOdd.toggle()
        try take(piece, &decoder, &reading)
        require(decoder.bufferBytes <= 2 * (stream.count - rest.count) + 64, "memory grows as bytes come")
      }
    } catch {
      reading.error = error
      var offset = 0
      var again: WireError?
      do throws(WireError) { _ = try decoder.next([1, 2, 3].span.bytes, at: &offset) } catch { again = error }
      require(again == reading.error, "the first error stays")
    }
    reading.frames = decoder.completedFrames
    reading.isMidFrame = decoder.isMidFrame
    return reading
  }

  private static func take(_ piece: [UInt8], _ decoder: inout FrameDecoder, _ reading: inout Reading) throws(WireError)
  {
    var offset = 0
    while true {
      if decoder.payloadBytesDue > 0 {
        let count = min(decoder.payloadBytesDue, piece.count - offset)
        if count == 0 { return }
        decoder.tookPayload(count)
        offset += count
        reading.payloadBytes += count
        continue
      }
      if let message = try decoder.next(piece.span.bytes, at: &offset) {
        reading.messages.append(message)
      } else if decoder.payloadBytesDue == 0 {
        return require(offset == piece.count, "a decoder takes all that is there")
      }
    }
  }
}
