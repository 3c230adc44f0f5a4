// SHA-256 of up to four messages at a time. Each message has a lane. When a message ends, its lane takes the next one.
#include "sha256_lanes.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

// The constants of FIPS 180-4, section 4.2.2.
static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

enum { block_bytes = 64, digest_bytes = 32, lanes_max = 4 };

// A message that is being hashed.
typedef struct {
  const uint8_t *next;
  // The number of blocks left at `next`, and of those that follow in `tail`.
  size_t blocks, tail_blocks;
  // The index of the message.
  size_t index;
  // The state in the order of the instructions: words A B E F and C D G H.
  __m128i abef, cdgh;
  // The rest that does not fill a block, with the padding of FIPS 180-4, section 5.1.1.
  uint8_t tail[2 * block_bytes];
} lane;

#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))

// Does four rounds. Their constants are loaded once for all lanes.
#define ROUNDS(words, group)                                                                      \
  {                                                                                               \
    const __m128i constants = _mm_load_si128((const __m128i *)(round_constants + 4 * (group)));   \
    for (int l = 0; l < LANES; l++) {                                                             \
      const __m128i sum = _mm_add_epi32(words[l], constants);                                     \
      cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], sum);                                     \
      abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(sum, 0x0e));            \
    }                                                                                             \
  }

// Replaces the oldest four words of the message schedule, `a`, by the next four.
#define SCHEDULE(a, b, c, d)                                                                      \
  for (int l = 0; l < LANES; l++) {                                                               \
    const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(a[l], b[l]), _mm_alignr_epi8(d[l], c[l], 4)); \
    a[l] = _mm_sha256msg2_epu32(sum, d[l]);                                                       \
  }

// Defines a function that hashes `count` blocks of each of LANES messages.
#define COMPRESS(name)                                                                            \
  SHA_TARGET static void name(lane *const *lanes, size_t count) {                                 \
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);        \
    __m128i abef[LANES], cdgh[LANES], abef_before[LANES], cdgh_before[LANES];                     \
    __m128i w0[LANES], w1[LANES], w2[LANES], w3[LANES];                                           \
    const uint8_t *next[LANES];                                                                   \
    for (int l = 0; l < LANES; l++) {                                                             \
      abef[l] = lanes[l]->abef;                                                                   \
      cdgh[l] = lanes[l]->cdgh;                                                                   \
      next[l] = lanes[l]->next;                                                                   \
    }                                                                                             \
    for (size_t n = 0; n < count; n++) {                                                          \
      for (int l = 0; l < LANES; l++) {                                                           \
        const __m128i *block = (const __m128i *)next[l];                                          \
        w0[l] = _mm_shuffle_epi8(_mm_loadu_si128(block), big_endian);                             \
        w1[l] = _mm_shuffle_epi8(_mm_loadu_si128(block + 1), big_endian);                         \
        w2[l] = _mm_shuffle_epi8(_mm_loadu_si128(block + 2), big_endian);                         \
        w3[l] = _mm_shuffle_epi8(_mm_loadu_si128(block + 3), big_endian);                         \
        next[l] += block_bytes;                                                                   \
        abef_before[l] = abef[l];                                                                 \
        cdgh_before[l] = cdgh[l];                                                                 \
      }                                                                                           \
      ROUNDS(w0, 0) ROUNDS(w1, 1) ROUNDS(w2, 2) ROUNDS(w3, 3)                                     \
      for (int group = 4; group < 16; group += 4) {                                               \
        SCHEDULE(w0, w1, w2, w3) ROUNDS(w0, group)                                                \
        SCHEDULE(w1, w2, w3, w0) ROUNDS(w1, group + 1)                                            \
        SCHEDULE(w2, w3, w0, w1) ROUNDS(w2, group + 2)                                            \
        SCHEDULE(w3, w0, w1, w2) ROUNDS(w3, group + 3)                                            \
      }                                                                                           \
      for (int l = 0; l < LANES; l++) {                                                           \
        abef[l] = _mm_add_epi32(abef[l], abef_before[l]);                                         \
        cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);                                         \
      }                                                                                           \
    }                                                                                             \
    for (int l = 0; l < LANES; l++) {                                                             \
      lanes[l]->abef = abef[l];                                                                   \
      lanes[l]->cdgh = cdgh[l];                                                                   \
      lanes[l]->next = next[l];                                                                   \
    }                                                                                             \
  }

#define LANES 1
COMPRESS(compress_1)
#undef LANES
#define LANES 2
COMPRESS(compress_2)
#undef LANES
#define LANES 3
COMPRESS(compress_3)
#undef LANES
#define LANES 4
COMPRESS(compress_4)
#undef LANES

bool p2p_sha256_lanes_supported(void) {
  const unsigned sha_bit = 1u << 29;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ebx & sha_bit)) return false;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSE4_1) && (ecx & bit_SSSE3);
}

SHA_TARGET static void begin(lane *lane, size_t index, const uint8_t *bytes, size_t length) {
  const size_t rest = length % block_bytes;
  lane->index = index;
  lane->next = bytes;
  lane->blocks = length / block_bytes;
  // The padding is one bit, zeros, and the length in 8 bytes.
  lane->tail_blocks = rest + 1 + 8 <= block_bytes ? 1 : 2;
  memset(lane->tail, 0, sizeof lane->tail);
  if (rest > 0) memcpy(lane->tail, bytes + length - rest, rest);
  lane->tail[rest] = 0x80;
  const uint64_t bits = __builtin_bswap64((uint64_t)length * 8);
  memcpy(lane->tail + block_bytes * lane->tail_blocks - sizeof bits, &bits, sizeof bits);
  // The initial state of FIPS 180-4, section 5.3.3.
  lane->abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
  lane->cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
}

// Continues a lane with its tail. Returns false if the message has ended.
static bool begin_tail(lane *lane) {
  if (lane->tail_blocks == 0) return false;
  lane->next = lane->tail;
  lane->blocks = lane->tail_blocks;
  lane->tail_blocks = 0;
  return true;
}

SHA_TARGET static void end(const lane *lane, uint8_t *digest) {
  uint32_t abef[4], cdgh[4];
  _mm_storeu_si128((__m128i *)abef, lane->abef);
  _mm_storeu_si128((__m128i *)cdgh, lane->cdgh);
  const uint32_t state[8] = {abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]};
  for (int i = 0; i < 8; i++) {
    const uint32_t word = __builtin_bswap32(state[i]);
    memcpy(digest + 4 * i, &word, sizeof word);
  }
}

void p2p_sha256_lanes(const uint8_t *bytes, const size_t *lengths, size_t count, uint8_t *digests) {
  lane lanes[lanes_max];
  // The lanes in use come first.
  lane *order[lanes_max] = {&lanes[0], &lanes[1], &lanes[2], &lanes[3]};
  size_t begun = 0, in_use = 0;
  while (true) {
    while (in_use < lanes_max && begun < count) {
      lane *current = order[in_use++];
      begin(current, begun, bytes, lengths[begun]);
      bytes += lengths[begun++];
      if (current->blocks == 0) begin_tail(current);
    }
    if (in_use == 0) return;
    // The number of blocks that every lane in use has.
    size_t blocks = order[0]->blocks;
    for (size_t i = 1; i < in_use; i++) {
      if (order[i]->blocks < blocks) blocks = order[i]->blocks;
    }
    switch (in_use) {
      case 1: compress_1(order, blocks); break;
      case 2: compress_2(order, blocks); break;
      case 3: compress_3(order, blocks); break;
      default: compress_4(order, blocks); break;
    }
    for (size_t i = in_use; i-- > 0;) {
      lane *current = order[i];
      current->blocks -= blocks;
      if (current->blocks > 0 || begin_tail(current)) continue;
      end(current, digests + digest_bytes * current->index);
      order[i] = order[--in_use];
      order[in_use] = current;
    }
  }
}

#else

bool p2p_sha256_lanes_supported(void) { return false; }

// Never called, because `p2p_sha256_lanes_supported` returns false.
void p2p_sha256_lanes(const uint8_t *bytes, const size_t *lengths, size_t count, uint8_t *digests) {
  (void)bytes;
  (void)lengths;
  memset(digests, 0, 32 * count);
}

#endif

bool p2p_sha256_lanes_fast(void) {
#if defined(__OPTIMIZE__)
  return p2p_sha256_lanes_supported();
#else
  return false;
#endif
}
