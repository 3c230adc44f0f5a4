// An output that has its name.
import Storage

/// The end of an output's work.
struct FinishedOutput: Sendable {
  /// Nil: there is no file of that download.
  let path: String?
  /// A part file that has its name now, if it is read on.
  var file: Result<any CheckedOutput, StoredFileError>?

  /// Opens a part that has its name now, to be read on.
  static func reopened(_ file: any PartStorage, _ name: String) -> Result<any CheckedOutput, StoredFileError> {
    do throws(StoredFileError) { return .success(try file.finished(as: name)) } catch { return .failure(error) }
  }
}
