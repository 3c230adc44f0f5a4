// A listing is fetched into the part folder of its folder, where the contents will follow.
import Content
import Posix

extension FolderPart {
  /// The name of the listing in a part folder.
  public static let listingName = PartFolderName.listing

  /// Returns the path of the part folder for a folder's ID.
  public static func path(of folderID: FileID, inFolder folderPath: String) -> String {
    (folderPath.utf8.last == UInt8(ascii: "/") ? folderPath : folderPath + "/") + name(of: folderID)
  }

  /// Makes the part folder for a folder's ID, unless it exists. Throws if something else has its name.
  public static func makePart(of folderID: FileID, inFolder folderPath: String) throws(PartFileError) {
    let parent: Directory
    do throws(Errno) { parent = try Directory(folderPath) } catch { throw .cannotCreate(error) }
    try LockedPartFolder.make(name(of: folderID), in: parent)
    _ = try LockedPartFolder.open(name(of: folderID), in: parent)
  }

  /// Removes a listing that was fetched into a part folder, and the part folder if nothing else is in it.
  public static func removeListing(of folderID: FileID, inFolder folderPath: String) {
    guard let parent = try? Directory(folderPath),
      let part = (try? LockedPartFolder.open(name(of: folderID), in: parent)) ?? nil
    else { return }
    let names = [
      PartFolderName.listing, PartFolderName.suggestion, PartFolderName.output, PartFolderName.suggestionDraft,
      PartFolderName.outputDraft,
    ]
    for name in names { try? part.remove(name) }
    removeEmptyPart(of: folderID, inFolder: folderPath)
  }

  /// Removes the part folder for a folder's ID if it is empty.
  public static func removeEmptyPart(of folderID: FileID, inFolder folderPath: String) {
    guard let parent = try? Directory(folderPath) else { return }
    try? parent.removeDirectory(name(of: folderID))
  }
}
