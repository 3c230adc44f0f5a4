// What the user wants to fetch: a fileID, or a link that contains one.
import Content
import Wire

/// A fileID or a link, as the user typed it.
struct Wanted {
  let fileID: FileID
  /// Nil if the user typed a fileID.
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

/// Returns the start of a link, long enough to recognise it.
private func shown(_ text: String) -> String {
  let start = text.unicodeScalars.prefix(120)
  return "'" + Console.escaped(String(start)) + (start.endIndex == text.unicodeScalars.endIndex ? "'" : "…'")
}
