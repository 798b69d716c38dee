/* ceiling.h: loops that do nothing but what limits others: read memory, multiply and add. What they reach is the roof under
 * which every kernel of this machine stays (Williams, Waterman & Patterson, Roofline, CACM 52(4), 2009). */
#ifndef DUALMEM_SIMD_CEILING_H
#define DUALMEM_SIMD_CEILING_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

enum { DM_CEILING_CHUNK = 4096 }; /* bytes that are read between two looks at the end */

typedef struct dm_ceiling_variant {
    const char *name;
    dm_isa isa;
    /* The sum of all 64-bit words of `chunks` chunks at a 64-byte boundary, modulo 2^64. */
    uint64_t (*read)(const uint64_t *words, size_t chunks);
    /* `rounds` times x <- x * factor + term in each of `lanes` lanes that begin at `start`; the lanes' sum. The chains are so many that
     * each can wait for itself while the units are busy with the others. */
    double (*multiply_add)(float start, float factor, float term, uint64_t rounds);
    uint32_t lanes;
} dm_ceiling_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_ceiling_variant dm_ceiling_variants[];
extern const size_t dm_ceiling_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_ceiling_variant *dm_ceiling_best(void);

/* The variant of that name, or NULL. */
const dm_ceiling_variant *dm_ceiling_find(const char *name);

/* The functions themselves, for the table only. */
enum { DM_CEILING_CHAINS = 12, DM_CEILING_CHAINS_AVX512 = 24, DM_CEILING_CHAINS_NEON = 24 };
uint64_t dm_ceiling_read_scalar(const uint64_t *words, size_t chunks);
uint64_t dm_ceiling_read_avx2(const uint64_t *words, size_t chunks);
uint64_t dm_ceiling_read_avx512(const uint64_t *words, size_t chunks);
uint64_t dm_ceiling_read_neon(const uint64_t *words, size_t chunks);
double dm_ceiling_multiply_add_scalar(float start, float factor, float term, uint64_t rounds);
double dm_ceiling_multiply_add_avx2(float start, float factor, float term, uint64_t rounds);
double dm_ceiling_multiply_add_avx512(float start, float factor, float term, uint64_t rounds);
double dm_ceiling_multiply_add_neon(float start, float factor, float term, uint64_t rounds);

#endif
