// SHA-256 (FIPS 180-4) of several messages side by side, with the SHA instructions of x86-64.
//
// One message alone waits for the latency of each instruction; four messages fill the processor.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether this processor has the instructions, so that `p2p_sha256_lanes` may be called.
bool p2p_sha256_lanes_supported(void);

/// Whether `p2p_sha256_lanes` is also fast: not in a build without optimisation.
bool p2p_sha256_lanes_fast(void);

/// Hashes messages that lie one after another at `bytes`.
/// - `lengths`: the bytes of each message; `count` of them.
/// - `digests`: gets 32 bytes for each message, in their order.
void p2p_sha256_lanes(const uint8_t *bytes, const size_t *lengths, size_t count, uint8_t *digests);
