// What a person wants: a fileID, or a link that holds one.
import Content
import Wire

/// A fileID or a link, as a person typed it.
struct Wanted {
  let fileID: FileID
  /// Nil where it was a bare fileID.
  let link: FileLink?

  init(typed text: String) throws(Failure) {
    guard FileLink.isMeant(by: text) else {
      guard let fileID = FileID(hex: text) else {
        throw Failure(
          Exit.usage,
          "'\(Console.escaped(text))' is not a fileID: that is 64 hexadecimal digits, as 'p2pnode id' and 'serve' print "
            + "them, or a link, as 'p2pnode link' prints it")
      }
      (self.fileID, link) = (fileID, nil)
      return
    }
    do throws(FileLinkFault) {
      let link = try FileLink(parsing: text)
      (fileID, self.link) = (link.fileID, link)
    } catch {
      throw Failure(
        Exit.usage, "this is not a link: \(error); a link is one word, as 'p2pnode link' prints it: \(shown(text))")
    }
  }
}

/// As much of a link as helps to find it.
private func shown(_ text: String) -> String {
  let start = text.unicodeScalars.prefix(120)
  return "'" + Console.escaped(String(start)) + (start.endIndex == text.unicodeScalars.endIndex ? "'" : "…'")
}
