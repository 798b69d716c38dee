/* choose.h: which of many numbers are large: the step between a scan and what is done with the best rows.
 *
 * Two passes without a branch per number take the place of a heap, whose every insertion is a mispredicted branch: 2.3 us
 * for the 10 largest of 1,000 became 0.95. */
#ifndef DUALMEM_SIMD_CHOOSE_H
#define DUALMEM_SIMD_CHOOSE_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

/* Numbers are not NaN. values: at a 64-byte boundary. */
typedef struct dm_choose_variant {
    const char *name;
    dm_isa isa;
    /* peaks[g] = the largest values[i] with i modulo groups = g, or `empty` if that is larger or there is none. groups: a
     * multiple of 64. */
    void (*peaks)(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups);
    /* Writes the indices of all values >= least, in order, and returns how many. chosen: room for `count`. */
    uint32_t (*at_least)(const float *values, uint32_t count, float least, uint32_t *chosen);
} dm_choose_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_choose_variant dm_choose_variants[];
extern const size_t dm_choose_variant_count;

/* The variant of that name, or NULL. */
const dm_choose_variant *dm_choose_find(const char *name);

/* The functions themselves, for the table only. */
void dm_choose_peaks_scalar(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups);
void dm_choose_peaks_avx2(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups);
void dm_choose_peaks_avx512(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups);
void dm_choose_peaks_neon(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups);
uint32_t dm_choose_at_least_scalar(const float *values, uint32_t count, float least, uint32_t *chosen);
uint32_t dm_choose_at_least_avx2(const float *values, uint32_t count, float least, uint32_t *chosen);
uint32_t dm_choose_at_least_avx512(const float *values, uint32_t count, float least, uint32_t *chosen);
uint32_t dm_choose_at_least_neon(const float *values, uint32_t count, float least, uint32_t *chosen);

#endif
