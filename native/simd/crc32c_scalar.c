/* crc32c_scalar.c: the reference, eight bytes a step through eight tables (Kounavis & Berry 2005, "slicing by 8"). */
#include "simd/crc32c.h"

/* Bytes, not words, so that the order of bytes of the machine does not matter. */
static uint32_t little_endian(const unsigned char *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint32_t dm_crc32c_update_scalar(const dm_crc32c_tables *tables, uint32_t crc, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    const uint32_t(*of)[256] = tables->of;
    uint32_t state = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low = state ^ little_endian(at);
        uint32_t high = little_endian(at + 4);
        state = of[7][low & 255] ^ of[6][low >> 8 & 255] ^ of[5][low >> 16 & 255] ^ of[4][low >> 24] ^
                of[3][high & 255] ^ of[2][high >> 8 & 255] ^ of[1][high >> 16 & 255] ^ of[0][high >> 24];
    }
    for (; size > 0; size--, at++) {
        state = state >> 8 ^ of[0][(state ^ *at) & 255];
    }
    return ~state;
}
