/* gram.h: the cosines of many unit vectors with each other, and a cheap filter for the few that are large.
 *
 * Clustering needs the cosine of a pair only where it may decide something, and in real data that is one pair in
 * thousands. So there are two ways to look at a pair: `reach` says, from small whole-number codes, which pairs could
 * have a cosine of at least `least` (all that have, and few others), and `dots` computes cosines themselves.
 *
 * Dots. Every product is one fixed expression, wherever the rows lie and however many are computed together: element
 * k goes to lane k mod 16, each lane is a chain of fused multiply-adds, and the lanes are added in halves (8, 4, 2,
 * 1). So every instruction set returns the same bits: sixteen fmaf, two vectors of 8, one of 16.
 *
 * Codes. A row is whole numbers in [-LEVELS, LEVELS] and a scale (simd/codes.h). So few levels that sixteen
 * byte-by-byte multiply-adds in a row (vpmaddubsw, pairs added to 16 bits) cannot overflow: 16 steps x 2 x (2
 * LEVELS) x LEVELS = 30,976 < 32,768, and only then 16 bits are widened: 64 multiply-adds a cycle where float32 has
 * 16 and 8-bit codes 32. 31 levels would have to be widened after 8 steps; 15 would let three times as many pairs
 * through. */
#ifndef DUALMEM_SIMD_GRAM_H
#define DUALMEM_SIMD_GRAM_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

enum {
    DM_GRAM_PANEL = 16,  /* rows whose codes are interleaved */
    DM_GRAM_LEVELS = 22,
    DM_GRAM_LANES = 16,
    DM_GRAM_WORD = 4,    /* codes of one row that lie side by side in a panel */
    DM_GRAM_FOLD = 16    /* words between two widenings */
};

/* The codes of 16 rows: word w of row r (its codes 4w..4w+3) at byte (16 w + r) * 4. 64-byte aligned. */
typedef struct dm_gram_panel {
    const int8_t *codes;
    const uint8_t *lifted; /* the codes + DM_GRAM_LEVELS, laid out alike */
    const float *scales;   /* dm_code_facts of each row */
    const float *radii;
    const int32_t *sums;
} dm_gram_panel;

typedef struct dm_gram_variant {
    const char *name;
    dm_isa isa;
    /* dots[i * stride + j] = a[i] . b[j]. Rows: 64-byte aligned, `padded` floats, a multiple of 16. */
    void (*dots)(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                 float *dots, size_t stride);
    /* Bit j of masks[i] is set when row i of a and row j of b could have a cosine >= least; it is set for all that
     * have. words: of a row, a multiple of DM_GRAM_FOLD. Returns all masks or-ed together. */
    uint32_t (*reach)(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                      uint16_t masks[DM_GRAM_PANEL]);
    /* similarities[j] of dots[j], where the episode of row j was accessed at times[j] and the other at `time`
     * (recency.h). */
    void (*weigh)(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                  double *similarities);
    /* The largest sums[i] * weights[i], or 0 if that is larger. 64-byte aligned, count a multiple of 8. */
    double (*largest)(const double *sums, const double *weights, size_t count);
    /* The first i >= from with sums[i] * weights[i] >= least, or count. */
    size_t (*next)(const double *sums, const double *weights, size_t count, size_t from, double least);
} dm_gram_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_gram_variant dm_gram_variants[];
extern const size_t dm_gram_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_gram_variant *dm_gram_best(void);

/* The variant of that name, or NULL. */
const dm_gram_variant *dm_gram_find(const char *name);

/* Puts the codes of one row (dm_code_stride(dim) of them) in its place in a panel. */
void dm_gram_pack(int8_t *panel, uint8_t *lifted_panel, uint32_t row, const int8_t *codes, size_t words);

/* Largest |dot - true cosine| for unit vectors of `dim` floats (dm_query.unit): see gram.c. */
double dm_gram_error_bound(uint32_t dim);

/* What `reach` compares: s_a s_b (c_a . c_b) + r_b (1 + r_a) >= floor, where floor is the function's value (see
 * gram.c). */
float dm_gram_floor(float least, float radius);

/* The functions themselves, for the table only. */
void dm_gram_dots_scalar(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                         float *dots, size_t stride);
void dm_gram_dots_avx2(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                       float *dots, size_t stride);
void dm_gram_dots_avx512(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                         float *dots, size_t stride);
void dm_gram_dots_neon(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                       float *dots, size_t stride);
uint32_t dm_gram_reach_scalar(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                              uint16_t masks[DM_GRAM_PANEL]);
uint32_t dm_gram_reach_avx2(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                            uint16_t masks[DM_GRAM_PANEL]);
uint32_t dm_gram_reach_avx512(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                              uint16_t masks[DM_GRAM_PANEL]);
uint32_t dm_gram_reach_neon(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                            uint16_t masks[DM_GRAM_PANEL]);
void dm_gram_weigh_scalar(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                          double *similarities);
void dm_gram_weigh_avx2(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                        double *similarities);
void dm_gram_weigh_avx512(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                          double *similarities);
void dm_gram_weigh_neon(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                        double *similarities);
double dm_gram_largest_scalar(const double *sums, const double *weights, size_t count);
double dm_gram_largest_avx2(const double *sums, const double *weights, size_t count);
double dm_gram_largest_avx512(const double *sums, const double *weights, size_t count);
double dm_gram_largest_neon(const double *sums, const double *weights, size_t count);
size_t dm_gram_next_scalar(const double *sums, const double *weights, size_t count, size_t from, double least);
size_t dm_gram_next_avx2(const double *sums, const double *weights, size_t count, size_t from, double least);
size_t dm_gram_next_avx512(const double *sums, const double *weights, size_t count, size_t from, double least);
size_t dm_gram_next_neon(const double *sums, const double *weights, size_t count, size_t from, double least);

#endif
