/* query.h: a query made ready for the scans, and its cosine and dot product with one row to double precision.
 *
 * They are what "exact" means in this library: dot(q, x) / sqrt(dot(q, q) dot(x, x)) and dot(q, x), each dot product
 * summed in double by 16 lanes (element i goes to lane i mod 16) that are then added pairwise. A product of two float32
 * is exact in double, so a fused multiply-add and a product followed by a sum round alike: every variant returns the
 * same bits, and an exact search returns the same neighbours by whichever scan it found its candidates. Equal vectors
 * have a cosine of exactly 1. */
#ifndef DUALMEM_SIMD_QUERY_H
#define DUALMEM_SIMD_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

/* Floats that a vector of `dim` takes in memory: padded with zeros to whole cache lines, as dm_rows are. */
static inline size_t dm_padded_dim(uint32_t dim) {
    return ((size_t)dim + 15u) & ~(size_t)15u;
}

/* The memory is the caller's: dm_padded_dim(dim) elements each, at 64-byte boundaries. */
typedef struct dm_query {
    uint32_t dim;
    double squared_norm; /* 0 if below FLT_MIN: such a query has cosine 0 with everything */
    double *wide;        /* the query, padded with zeros */
    float *unit;         /* query / |query|, rounded to float32; zeros if the norm counts as 0 */
} dm_query;

typedef struct dm_query_variant {
    const char *name;
    dm_isa isa;
    /* Fills squared_norm, wide and unit. values: query->dim finite floats at any address. */
    void (*prepare)(dm_query *query, const float *values);
    /* The cosine with a row (64-byte aligned, padded), not clamped: rounding may leave it 1e-15 beyond 1. 0 if the
     * row or the query is zero. */
    double (*cosine)(const dm_query *query, const float *row);
    /* The dot product with a row, none counted as zero. Nothing overflows: 4096 FLT_MAX^2 < 1e81. */
    double (*product)(const dm_query *query, const float *row);
} dm_query_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_query_variant dm_query_variants[];
extern const size_t dm_query_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_query_variant *dm_query_best(void);

/* The variant of that name, or NULL. */
const dm_query_variant *dm_query_find(const char *name);

/* The functions themselves, for the table only. */
void dm_query_prepare_scalar(dm_query *query, const float *values);
void dm_query_prepare_avx2(dm_query *query, const float *values);
void dm_query_prepare_avx512(dm_query *query, const float *values);
void dm_query_prepare_neon(dm_query *query, const float *values);
double dm_query_cosine_scalar(const dm_query *query, const float *row);
double dm_query_cosine_avx2(const dm_query *query, const float *row);
double dm_query_cosine_avx512(const dm_query *query, const float *row);
double dm_query_cosine_neon(const dm_query *query, const float *row);
double dm_query_product_scalar(const dm_query *query, const float *row);
double dm_query_product_avx2(const dm_query *query, const float *row);
double dm_query_product_avx512(const dm_query *query, const float *row);
double dm_query_product_neon(const dm_query *query, const float *row);

#endif
