// Randomness for those who may draw it: the pure targets are handed theirs.
import CSodium

public enum Random {
  /// A uniform 64-bit number from the system's generator.
  public static func uint64() -> UInt64 {
    Library.start()
    var value: UInt64 = 0
    randombytes_buf(&value, MemoryLayout<UInt64>.size)
    return value
  }
}
