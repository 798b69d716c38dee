/* crc32c_avx2.c: with the instruction crc32.
 *
 * It came with SSE4.2, which every processor with AVX2 has: an instruction set of its own in isa.h would serve none but
 * older machines. The instruction takes a new operand each cycle and delivers after three, so three lanes run side by side
 * (Gopal et al. 2011) and are joined: the CRC of A B is CRC(A) x^(8|B|) + CRC(B), modulo the polynomial. */
#include "simd/crc32c.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

/* Bytes of a lane. Joining three costs about 250 cycles, reading 3 x 8 KiB about 3,000; the lanes fit the first-level cache. */
enum { LANE = 8192 };
/* x^(8 LANE) and x^(16 LANE) modulo the polynomial, in its bit order; tests/test_crc32c.c would notice another value. */
static const uint32_t PAST_ONE = UINT32_C(0x28461564);
static const uint32_t PAST_TWO = UINT32_C(0xBF455269);

/* The product of two polynomials modulo the CRC's. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (int bit = 0; bit < 32; bit++) {
        product ^= b & -(a >> 31);
        a <<= 1;
        b = b >> 1 ^ (DM_CRC32C_POLYNOMIAL & -(b & 1));
    }
    return product;
}

static uint64_t load(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

uint32_t dm_crc32c_update_avx2(const dm_crc32c_tables *tables, uint32_t crc, const void *bytes, size_t size) {
    (void)tables;
    const unsigned char *at = bytes;
    uint64_t state = ~crc;
    for (; size >= (size_t)3 * LANE; size -= (size_t)3 * LANE, at += (size_t)3 * LANE) {
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            state = _mm_crc32_u64(state, load(at + i));
            second = _mm_crc32_u64(second, load(at + LANE + i));
            third = _mm_crc32_u64(third, load(at + (size_t)2 * LANE + i));
        }
        state = multiply((uint32_t)state, PAST_TWO) ^ multiply((uint32_t)second, PAST_ONE) ^ (uint32_t)third;
    }
    for (; size >= 8; size -= 8, at += 8) {
        state = _mm_crc32_u64(state, load(at));
    }
    for (; size > 0; size--, at++) {
        state = _mm_crc32_u8((uint32_t)state, *at);
    }
    return ~(uint32_t)state;
}

#endif
