// Random numbers for targets that may draw them. Pure targets get theirs from the caller.
import CSodium

public enum Random {
  /// Returns a uniform 64-bit number from the system's generator.
  public static func uint64() -> UInt64 {
    Library.start()
    var value: UInt64 = 0
    randombytes_buf(&value, MemoryLayout<UInt64>.size)
    return value
  }
}
