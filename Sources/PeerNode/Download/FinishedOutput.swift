// What a download leaves behind.
import Storage

/// The end of an output's work.
struct FinishedOutput: Sendable {
  /// Nil: there is no file of that download.
  let path: String?
  /// A part file that has its name now, if it is read on.
  var file: Result<any CheckedOutput, StoredFileError>?

  /// Opens a part file that has got its name.
  static func reopened(_ file: any PartStorage, _ name: String) -> Result<any CheckedOutput, StoredFileError> {
    do throws(StoredFileError) { return .success(try file.finished(as: name)) } catch { return .failure(error) }
  }
}
