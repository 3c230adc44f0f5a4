// Checks a listing in one pass. Each entry is compared only with the one before it.

/// A position in bytes that may be a listing.
struct FolderListingReader {
  private let bytes: [UInt8]
  private(set) var offset = 0
  /// The place of the previous entry's path in `bytes`.
  private var lastPath: Range<Int>?
  private(set) var contentsLength: UInt64 = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.count }

  /// Reads the header. Returns the number of entries.
  mutating func header() throws(FolderListingFault) -> Int {
    guard bytes.count <= FolderListing.byteCountMax else { throw FolderListingFault(.tooLong) }
    guard bytes.starts(with: FolderListing.magic) else { throw FolderListingFault(.magic) }
    offset = FolderListing.magic.count
    guard let count = integer(of: 4) else { throw FolderListingFault(.truncated) }
    guard count <= UInt64(FolderListing.entryCountMax) else { throw FolderListingFault(.tooManyEntries) }
    return Int(count)
  }

  /// Reads the next entry. Throws if it breaks a rule.
  mutating func entry(_ index: Int) throws(FolderListingFault) {
    guard let type = integer(of: 1) else { throw FolderListingFault(.truncated, entry: index) }
    guard let kind = FolderEntry.Kind(rawValue: UInt8(type)) else {
      throw FolderListingFault(.unknownType, entry: index)
    }
    guard let path = text() else { throw FolderListingFault(.truncated, entry: index) }
    if let rule = pathFault(path) ?? orderFault(path) { throw FolderListingFault(rule, entry: index) }
    lastPath = path
    switch kind {
    case .file, .executable:
      guard let length = integer(of: 8), bytes.count - offset >= Digest.byteCount else {
        throw FolderListingFault(.truncated, entry: index)
      }
      let root = Digest(bytes.span.bytes, at: offset)
      offset += Digest.byteCount
      if length > 0, root == .zero { throw FolderListingFault(.lengthWithoutRoot, entry: index) }
      if length == 0, root != .zero { throw FolderListingFault(.rootWithoutLength, entry: index) }
      guard length <= FolderListing.contentsLengthMax - contentsLength else {
        throw FolderListingFault(.contentsTooLong, entry: index)
      }
      contentsLength += length
    case .symbolicLink:
      guard let target = text() else { throw FolderListingFault(.truncated, entry: index) }
      if let rule = targetFault(target, of: path) { throw FolderListingFault(rule, entry: index) }
    case .emptyFolder: break
    }
  }

  // MARK: Rules

  private func pathFault(_ path: Range<Int>) -> FolderListingFault.Rule? {
    if path.isEmpty { return .pathEmpty }
    if path.count > FolderPath.byteCountMax { return .pathTooLong }
    if bytes[path].contains(0) { return .pathNUL }
    if !isUTF8(path) { return .pathNotUTF8 }
    var components = 0
    for component in Components(bytes[path]) {
      components += 1
      if component.isEmpty { return .componentEmpty }
      if isDots(component) { return .componentDots }
      if component.count > FolderPath.componentByteCountMax { return .componentTooLong }
    }
    return components > FolderPath.componentCountMax ? .tooManyComponents : nil
  }

  /// Checks that the path comes after the previous one. The separator ranks lowest, so an entry below the previous one
  /// would come directly after it: `belowEntry`.
  private func orderFault(_ path: Range<Int>) -> FolderListingFault.Rule? {
    guard let last = lastPath else { return nil }
    let (before, now) = (bytes[last], bytes[path])
    for (x, y) in zip(before, now) where x != y {
      let isAscending = y != FolderPath.separator && (x == FolderPath.separator || x < y)
      return isAscending ? nil : .order
    }
    guard now.count > before.count else { return .order }
    return now[now.startIndex + before.count] == FolderPath.separator ? .belowEntry : nil
  }

  /// Checks that the target begins with ".." components that stay in the listed folder, and has only ordinary ones
  /// after them.
  private func targetFault(_ target: Range<Int>, of path: Range<Int>) -> FolderListingFault.Rule? {
    if target.isEmpty { return .targetEmpty }
    if target.count > FolderPath.byteCountMax { return .targetTooLong }
    if bytes[target].contains(0) { return .targetNUL }
    if !isUTF8(target) { return .targetNotUTF8 }
    if bytes[target.lowerBound] == FolderPath.separator { return .targetOutside }
    var parents = bytes[path].count { $0 == FolderPath.separator }
    var goesUp = true
    for component in Components(bytes[target]) {
      if goesUp, component.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) {
        parents -= 1
        if parents < 0 { return .targetOutside }
        continue
      }
      goesUp = false
      if component.isEmpty || isDots(component) { return .targetComponent }
    }
    return nil
  }

  private func isDots(_ component: ArraySlice<UInt8>) -> Bool {
    component.count <= 2 && !component.isEmpty && component.allSatisfy { $0 == UInt8(ascii: ".") }
  }

  private func isUTF8(_ text: Range<Int>) -> Bool {
    if bytes[text].allSatisfy({ $0 < 0x80 }) { return true }
    return String(validating: bytes[text], as: UTF8.self) != nil
  }

  // MARK: Fields

  private mutating func integer(of byteCount: Int) -> UInt64? {
    guard bytes.count - offset >= byteCount else { return nil }
    var value: UInt64 = 0
    for byte in bytes[offset..<offset + byteCount] { value = value << 8 | UInt64(byte) }
    offset += byteCount
    return value
  }

  /// Reads `u16 ‖ bytes`. Returns the place of the bytes.
  private mutating func text() -> Range<Int>? {
    guard let count = integer(of: 2), bytes.count - offset >= Int(count) else { return nil }
    defer { offset += Int(count) }
    return offset..<offset + Int(count)
  }
}

/// The components of a path. Makes no allocation.
private struct Components: Sequence, IteratorProtocol {
  private var rest: ArraySlice<UInt8>?

  init(_ path: ArraySlice<UInt8>) { rest = path }

  mutating func next() -> ArraySlice<UInt8>? {
    guard let path = rest else { return nil }
    guard let end = path.firstIndex(of: FolderPath.separator) else {
      rest = nil
      return path
    }
    rest = path[(end + 1)...]
    return path[..<end]
  }
}
