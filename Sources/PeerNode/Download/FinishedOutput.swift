// The result of the last job on a download's output.
import Storage

/// An output after its last job.
struct FinishedOutput: Sendable {
  /// The path of the output; nil: the download leaves no output.
  let path: String?
  /// The output under its name, if it will still be read.
  var file: Result<any CheckedOutput, StoredFileError>?

  /// Opens a part file that now has its final name.
  static func reopened(_ file: any PartStorage, _ name: String) -> Result<any CheckedOutput, StoredFileError> {
    do throws(StoredFileError) { return .success(try file.finished(as: name)) } catch { return .failure(error) }
  }
}
