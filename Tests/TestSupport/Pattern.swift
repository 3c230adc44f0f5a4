// File contents for tests, the same in each run.

/// Returns `count` bytes in a sequence that does not repeat soon.
package func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return [UInt8](unsafeUninitializedCapacity: count + 8) { bytes, initialized in
    // Make eight bytes at a time, because the tests run without optimisation.
    for offset in stride(from: 0, to: count, by: 8) {
      state = (state ^ state >> 29) &* 0xBF58_476D_1CE4_E5B9 &+ 0x9E37_79B9_7F4A_7C15
      UnsafeMutableRawBufferPointer(bytes).storeBytes(of: state, toByteOffset: offset, as: UInt64.self)
    }
    initialized = count
  }
}
