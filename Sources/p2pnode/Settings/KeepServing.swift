// `--keep-serving` and its value, which may be left out.
import ArgumentParser
import CommandSettings

extension Stay: ExpressibleByArgument {}

extension Stay {
  /// Arguments in which `--keep-serving` has its value: the parser knows no option whose value may be left out and is
  /// never taken from what follows.
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
