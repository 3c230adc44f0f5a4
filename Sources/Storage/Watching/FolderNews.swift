// What a watched folder reports.

/// A report of a watched folder, on the thread that follows it.
public enum FolderNews: Sendable {
  case event(CatalogueEvent)
  /// The entry's file is not, or no longer, what was hashed. To be withdrawn from the catalogue and from all who read it.
  case withdraw(CatalogueEntry, StoredFileError)
  /// The catalogue has another entry of the same bytes in the place of this one.
  case replaced(CatalogueEntry)
}
