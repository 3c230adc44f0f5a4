// The reports of a watched folder.

/// A report of a watched folder, sent on the thread that follows the folder.
public enum FolderNews: Sendable {
  case event(CatalogueEvent)
  /// The entry's file is not, or no longer, what was hashed. Withdraw it from the catalogue and from all its readers.
  case withdraw(CatalogueEntry, StoredFileError)
  /// The catalogue has replaced this entry by another one with the same bytes.
  case replaced(CatalogueEntry)
}
