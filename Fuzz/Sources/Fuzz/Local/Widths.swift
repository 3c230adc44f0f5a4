// Widths of texts on a terminal: never less than the terminal uses, and a cut text fits.
import Glibc

@testable import Screen

/// Swift's Glibc does not import it.
@_silgen_name("wcwidth") private func wcwidth(_ character: wchar_t) -> CInt

enum Widths {
  static let target = Target(
    "width",
    seeds: { _ in
      ["映画映画", "e\u{301}e\u{301}", "한글", "👍🏽", "☂\u{FE0F}", "a long name.img", "\u{1B}[31mab\u{1B}[0m"]
        .map { [5] + Array($0.utf8) }
    }, run)

  /// Sets a locale in which `wcwidth` knows more than ASCII.
  private static let locale: Void = { _ = setlocale(LC_ALL, "C.UTF-8") }()

  private static func run(_ bytes: [UInt8]) {
    _ = locale
    var input = Input(bytes)
    let columns = Int(input.u8() & 63)
    let text = String(decoding: input.rest(), as: UTF8.self)
    let width = DisplayWidth.of(text)
    require(width >= 0 && width <= 2 * text.unicodeScalars.count, "a scalar takes at most two columns")
    // For single scalars the C library knows the width on a terminal.
    for scalar in text.unicodeScalars {
      let least = wcwidth(wchar_t(bitPattern: scalar.value))
      require(DisplayWidth.of(String(scalar)) >= least, "U+\(String(scalar.value, radix: 16)) takes \(least) columns")
    }
    for mark in ["", "…", "~"] {
      require(DisplayWidth.of(DisplayWidth.cut(text, to: columns, mark: mark)) <= columns, "a cut text fits")
      require(DisplayWidth.of(DisplayWidth.cutMiddle(text, to: columns, mark: mark)) <= columns, "a cut text fits")
    }
    let padded = DisplayWidth.padded(text, to: columns, isRight: columns & 1 == 0)
    require(DisplayWidth.of(padded) >= columns, "a padded text is wide enough")
    require(DisplayWidth.ofStyled(text) <= width, "colours take no column")
  }
}
