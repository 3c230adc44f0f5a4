// The state of a served folder is not part of it, wherever the state folder lies.
import Content
import Posix

extension ServingRules {
  /// These rules, without the files that `HashStore` keeps in a state folder, if that is the served folder or lies in it. They
  /// change all the time, and name every file that is served.
  public func excludingState(in stateFolder: String, of folder: String) -> ServingRules {
    guard let state = try? Directory(stateFolder).realPath(), let served = try? Directory(folder).realPath() else {
      return self
    }
    let slash = served == "/" ? "" : "/"
    guard (state + "/").utf8.starts(with: (served + slash).utf8) else { return self }
    let below = String(decoding: (state + "/").utf8.dropFirst((served + slash).utf8.count), as: UTF8.self)
    var escaped = ""
    for character in below {
      if "*?[\\".contains(character) { escaped += "\\" }
      escaped.append(character)
    }
    let database = String(repeating: "[0-9a-f]", count: HashStoreOpening.nameDigits) + ".sqlite*"
    var rules = self
    rules.excluded += [database, HashStoreOpening.openingLock].compactMap { PathPattern("/" + escaped + $0) }
    return rules
  }
}
