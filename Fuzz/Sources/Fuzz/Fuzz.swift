// The program: chooses a target by name and passes it to libFuzzer.
//
//   Fuzz list                              the names of all targets
//   Fuzz seeds TARGET VECTORS FOLDER       writes seeds made of Protocol/vectors to a folder
//   Fuzz TARGET [options and folders]      libFuzzer's command line for the target
import Glibc

/// The linker makes this the start of the program, because libFuzzer's own start knows of no targets.
@_cdecl("Fuzz_main")
public func fuzzMain(
  _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
  let words = (0..<Int(count)).compactMap { arguments[$0].map { String(cString: $0) } }
  switch words.dropFirst().first {
  case "list"?:
    for target in Target.all { print(target.name) }
    return 0
  case "seeds"? where words.count == 5:
    guard let target = Target.named(words[2]) else { return usage() }
    return Seeds(vectors: words[3]).write(target.seeds, to: words[4]) ? 0 : 1
  case let name?:
    if let target = Target.named(name) {
      Chosen.target = target
      // libFuzzer restarts the program to merge corpora and does not pass the name.
      setenv("FUZZ_TARGET", name, 1)
      // Remove the name. The other arguments move up, and so does the null at their end.
      for i in 1..<Int(count) { arguments[i] = arguments[i + 1] }
      return run(count - 1, arguments)
    }
    guard let target = getenv("FUZZ_TARGET").flatMap({ Target.named(String(cString: $0)) }) else {
      return usage()
    }
    Chosen.target = target
    return run(count, arguments)
  case nil: return usage()
  }
}

private func run(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
  var count = count
  var start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = arguments
  return runDriver(&count, &start, testOneInput)
}

private func usage() -> CInt {
  print("Fuzz list | Fuzz seeds TARGET VECTORS FOLDER | Fuzz TARGET [options and folders of libFuzzer]")
  return 64
}

private enum Chosen {
  // Set once before libFuzzer calls the target. libFuzzer uses one thread.
  nonisolated(unsafe) static var target: Target?
}

/// The entry point of libFuzzer. It calls back once for each input.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  Chosen.target?.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
