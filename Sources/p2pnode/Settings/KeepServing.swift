// The option `--keep-serving` and its optional value.
import ArgumentParser
import CommandSettings

extension Stay: ExpressibleByArgument {}

extension Stay {
  /// Gives each `--keep-serving` its value: the next argument if that is a duration, otherwise `forever`. The parser
  /// itself has no options whose value may be left out.
  static func completed(_ arguments: [String]) -> [String] {
    var completed: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument == "--keep-serving" else {
        completed.append(argument)
        if argument == "--" { return completed + rest }
        continue
      }
      let isNext = rest.first.flatMap(Stay.init(argument:)) != nil
      completed.append("\(argument)=\(isNext ? rest.removeFirst() : "forever")")
    }
    return completed
  }
}
