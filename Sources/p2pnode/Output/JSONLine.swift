// Makes JSON objects, one in each line, for programs that read what the command did.
import Content
import Posix

/// An object whose members stay in the order in which they were set.
struct JSONLine {
  private var text = "{"
  /// The time of the event in nanoseconds since 1970. Nil if this is no event.
  private var nanoseconds: Int64?

  /// Makes an event. The current time becomes its last member.
  init(event: String) {
    set("event", event)
    nanoseconds = Clock.wallNanoseconds
  }

  mutating func set(_ name: String, _ value: String) { add(name, JSONLine.quoted(value)) }
  mutating func set(_ name: String, _ value: some BinaryInteger) { add(name, "\(value)") }
  mutating func set(_ name: String, _ value: Bool) { add(name, value ? "true" : "false") }
  /// Sets a number with six digits after the point.
  mutating func set(_ name: String, _ value: Double) { add(name, Format.fixed(value, 6)) }
  mutating func set(_ name: String, _ objects: [JSONLine]) {
    add(name, "[" + objects.map(\.finished).joined(separator: ",") + "]")
  }
  mutating func set(_ name: String, _ object: JSONLine) { add(name, object.finished) }

  /// Makes an object inside another object or an array. It has no event and no time.
  init() {}

  var finished: String {
    guard let nanoseconds else { return text + "}" }
    var line = self
    line.set("time", Format.utc(nanoseconds: nanoseconds))
    return line.text + "}"
  }

  private mutating func add(_ name: String, _ value: String) {
    if text.utf8.count > 1 { text += "," }
    text += JSONLine.quoted(name) + ":" + value
  }

  private static func quoted(_ string: String) -> String {
    var out = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where SuggestedName.isHarmful(scalar):  // also characters that JSON allows but that control a terminal
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
