/* crc32c.h: the cyclic redundancy check of the snapshot's sections: CRC-32C.
 *
 * Polynomial 0x1EDC6F41 (Castagnoli, Braeuer & Herrmann 1993), bits reflected, begun and ended with all bits inverted, as
 * in RFC 3720, whose examples are in tests/test_crc32c.c. A CRC, and not a faster hash, because of what it promises
 * without a probability: one damaged stretch of at most 32 bits, wherever it lies and however long the data, is always
 * noticed. This polynomial, because x86 has an instruction for it. */
#ifndef DUALMEM_SIMD_CRC32C_H
#define DUALMEM_SIMD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

/* The polynomial x^31 + ... with bit 31 - k for x^k, without x^32. */
#define DM_CRC32C_POLYNOMIAL UINT32_C(0x82F63B78)

/* of[k][b]: what byte b contributes when k bytes follow it. The caller keeps them: 2,048 entries cost some microseconds to make,
 * and as constants 256 lines to read. */
typedef struct dm_crc32c_tables {
    uint32_t of[8][256];
} dm_crc32c_tables;

void dm_crc32c_prepare(dm_crc32c_tables *tables);

typedef struct dm_crc32c_variant {
    const char *name;
    dm_isa isa;
    /* The CRC of what `crc` is the CRC of (0: of nothing) followed by `size` bytes. Equal in every variant. */
    uint32_t (*update)(const dm_crc32c_tables *tables, uint32_t crc, const void *bytes, size_t size);
} dm_crc32c_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_crc32c_variant dm_crc32c_variants[];
extern const size_t dm_crc32c_variant_count;

/* The best variant for this machine. */
const dm_crc32c_variant *dm_crc32c_best(void);

/* The functions themselves, for the table only. */
uint32_t dm_crc32c_update_scalar(const dm_crc32c_tables *tables, uint32_t crc, const void *bytes, size_t size);
uint32_t dm_crc32c_update_avx2(const dm_crc32c_tables *tables, uint32_t crc, const void *bytes, size_t size);

#endif
