// Values that a dictionary is known to hold.

extension Dictionary {
  /// The value of a key that another part of the same state proves to be here, changed in place. A missing key is a bug
  /// of this program.
  subscript(existing key: Key) -> Value {
    get { self[key, default: Self.missing()] }
    _modify { yield &self[key, default: Self.missing()] }
  }

  private static func missing() -> Value { preconditionFailure("the key was looked up or added before") }
}
