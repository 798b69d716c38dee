/* decay.h: what forgetting leaves of strengths: a factor per block of eight, which has one concept, and the strengths times
 * their factors.
 *
 * Strengths are bits of floats in [0, 1] or of -0.0, which marks a place without a binding (store/bindings.h) and stays what
 * it is. A product below FLT_MIN becomes +0.0, never the mark. The flush is written out and not left to the processor's
 * mode for it: that mode looks at the product before it is rounded, and the two would differ in the last product
 * below FLT_MIN. */
#ifndef DUALMEM_SIMD_DECAY_H
#define DUALMEM_SIMD_DECAY_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "dualmem/dualmem.h"
#include "simd/isa.h"

enum { DM_DECAY_BLOCK = 8 };

/* How much was forgotten by a concept whose modulation (dm_store_decay_factor) is 1. */
typedef struct dm_decay_amount {
    int32_t mode;  /* DM_DECAY_... */
    double amount; /* lambda * seconds, 0..DM_DECAY_AMOUNT_MAX */
} dm_decay_amount;

/* Beyond it nothing is left in either mode, for any fan that a store can have (modulations are above 0.17). */
#define DM_DECAY_AMOUNT_MAX 1e6

typedef struct dm_decay_variant {
    const char *name;
    dm_isa isa;
    /* factors[i] = exp(-amount * modulations[i]) or max(0, 1 - amount * modulations[i]), in [0, 1], within 3e-7 of it, relative,
     * down to FLT_MIN (something below it where the formula is); exactly 1 for amount 0. modulations: in [0, 1]. Both arrays are at
     * 64-byte boundaries with room for a multiple of eight; what lies there behind `count` is undefined but finite, and
     * so will be the factors. */
    void (*factors)(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors);
    /* The strengths of `blocks` blocks (at a 32-byte boundary) times their factors. Plain memory accesses: nobody else may
     * look. */
    void (*scale)(uint32_t *strengths, const float *factors, uint32_t blocks);
} dm_decay_variant;

/* The first row is the reference: the C library's functions in double. The last one that runs is the best. All variants
 * scale alike, to the bit; their factors differ in the last ones. */
extern const dm_decay_variant dm_decay_variants[];
extern const size_t dm_decay_variant_count;

/* The best variant that this machine runs. Asks the processor the first time only. */
const dm_decay_variant *dm_decay_best(void);

/* The variant of that name, or NULL. */
const dm_decay_variant *dm_decay_find(const char *name);

/* One strength, for whoever must do it word by word. */
static inline uint32_t dm_decay_strength(uint32_t bits, float factor) {
    float strength;
    memcpy(&strength, &bits, sizeof(strength));
    float product = strength * factor;
    uint32_t decayed;
    memcpy(&decayed, &product, sizeof(decayed));
    return product >= FLT_MIN ? decayed : bits & UINT32_C(0x80000000);
}

/* The functions themselves, for the table only. */
void dm_decay_factors_scalar(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors);
void dm_decay_factors_avx2(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors);
void dm_decay_factors_avx512(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors);
void dm_decay_factors_neon(const dm_decay_amount *amount, const float *modulations, uint32_t count, float *factors);
void dm_decay_scale_scalar(uint32_t *strengths, const float *factors, uint32_t blocks);
void dm_decay_scale_avx2(uint32_t *strengths, const float *factors, uint32_t blocks);
void dm_decay_scale_avx512(uint32_t *strengths, const float *factors, uint32_t blocks);
void dm_decay_scale_neon(uint32_t *strengths, const float *factors, uint32_t blocks);

#endif
