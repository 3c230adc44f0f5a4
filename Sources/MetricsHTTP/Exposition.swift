// Writes numbers in Prometheus' text format, version 0.0.4: for each family its help and type, then a line for each
// sample.

/// Builds one page. The caller chooses names and labels; the values of labels may be any text.
public struct Exposition: Sendable {
  public enum Kind: String, Sendable { case counter, gauge }

  /// One line: labels in order, and a value.
  public struct Sample: Sendable {
    let labels: [(name: String, value: String)]
    let value: String

    public init(_ value: some BinaryInteger, _ labels: [(name: String, value: String)] = []) {
      self.value = "\(value)"
      self.labels = labels
    }
  }

  /// The page so far.
  public private(set) var text = ""

  public init() {}

  /// Adds a family. `name` has the form `[a-z0-9_]+` and ends in `_total` for a counter. `help` is one line.
  public mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      text += name
      if !sample.labels.isEmpty {
        text +=
          "{" + sample.labels.map { "\($0.name)=\"\(Exposition.escaped($0.value))\"" }.joined(separator: ",") + "}"
      }
      text += " \(sample.value)\n"
    }
  }

  /// Adds a family of one sample without labels.
  public mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
    add(name, kind, help, [Sample(value)])
  }

  static func escaped(_ value: String) -> String {
    var escaped = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
