// Checks that arguments, variables and the current folder are UTF-8. Paths are text, and a repaired text would name
// another file. Warns of misspelt variables.
import CommandSettings
import Content
import Posix

enum Surroundings {
  /// The variables that contain paths and settings of this program.
  private static let names: Set = [
    "HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
  ]

  /// Throws if something is not UTF-8. Call it before anything else.
  static func check() throws(Failure) {
    guard let found = Environment.firstNotUTF8(variables: { names.contains($0) || $0.hasPrefix("P2PNODE_") }) else {
      return
    }
    let shown = SuggestedName.escapedForTerminal(bytes: found.bytes)
    switch found.place {
    case .argument:
      throw Failure(Exit.usage, "the argument '\(shown)' is not UTF-8; if it is a path, rename the file")
    case .variable(let name): throw Failure(Exit.usage, "\(name)='\(shown)' is not UTF-8; set it to another value")
    case .workingFolder:
      throw Failure(Exit.usage, "the current folder '\(shown)' is not UTF-8; rename it, or run this in another folder")
    }
  }

  /// Warns of each variable that has no effect because its name is misspelt. Once, however often it is called.
  static func warnOfMisspeltVariables() { _ = warned }

  private static let warned: Void = {
    for misspelt in Environment.variableNames.compactMap(MisspeltVariable.init) {
      Console.log(
        .warning,
        "warning: the variable \(Console.escaped(misspelt.name)) has no effect (did you mean \(misspelt.meant)?)")
    }
  }()
}
