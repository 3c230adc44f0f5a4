// SHA-256 (FIPS 180-4) of several messages side by side, with the SHA instructions of x86-64.
//
// With one message, the processor waits for each instruction's result. With four messages, it is always busy.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether this processor has the instructions. Only then may `p2p_sha256_lanes` be called.
bool p2p_sha256_lanes_supported(void);

/// Whether `p2p_sha256_lanes` is also fast. It is not in a build without optimisation.
bool p2p_sha256_lanes_fast(void);

/// Hashes messages that lie one after another at `bytes`.
/// - `lengths`: the length of each of the `count` messages, in bytes.
/// - `digests`: receives 32 bytes for each message, in their order.
void p2p_sha256_lanes(const uint8_t *bytes, const size_t *lengths, size_t count, uint8_t *digests);
