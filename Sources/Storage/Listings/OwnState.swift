// Keeps the node's own database files out of the served folder's listing, if the state folder lies inside it.
import Content
import Posix

extension ServingRules {
  /// Returns these rules without the files that `HashStore` keeps in a state folder, if that is the served folder or
  /// lies in it. These files change all the time, and they contain the name of every served file.
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
