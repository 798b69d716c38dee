/* similarity.h: the cosines of one query and many rows.
 *
 * cosine = a.b / (|a| |b|), clamped to [-1, 1]; 0 if either norm is 0 (squared norm < FLT_MIN). Both divisions are paid
 * for once: a row's when it is stored (dm_rows.inverse_norms), the query's when it is made ready (dm_query.unit).
 * Dividing the query first also keeps its magnitude out of the scan: products of a unit query with any row whose norm
 * is a float32 neither overflow nor lose digits to underflow.
 *
 * One table, three readers: the kernels, the differential test and the benchmark iterate dm_similarity_variants. Another
 * instruction set is one more file and one more row. */
#ifndef DUALMEM_SIMD_SIMILARITY_H
#define DUALMEM_SIMD_SIMILARITY_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "simd/isa.h"
#include "simd/query.h"

enum { DM_SCAN_FORWARD = 0, DM_SCAN_BACKWARD = 1 };

/* Writes rows->count cosines. `unit` is dm_query.unit. A row's cosine has the same bits wherever the row
 * lies and in whichever direction the rows are read, so equal rows are equal.
 * Reading every second query backward leaves the rows read last to be read first: what fits stays in L1 (16 x 768
 * floats are 1.5 x L1) or in L2. */
typedef void dm_similarity_scan(const dm_rows *rows, const float *unit, float *cosines, int32_t direction);

typedef struct dm_similarity_variant {
    const char *name;
    dm_isa isa;
    dm_similarity_scan *scan;
} dm_similarity_variant;

/* The first row is the reference: double accumulation, one element after the other. The last one that runs is the best. */
extern const dm_similarity_variant dm_similarity_variants[];
extern const size_t dm_similarity_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_similarity_variant *dm_similarity_best(void);

/* The variant of that name, or NULL. */
const dm_similarity_variant *dm_similarity_find(const char *name);

/* Largest |cosine - true cosine| over all variants for finite rows (whose inverse norm has a relative error of at most
 * 2^-22, and whose norm is below 2^125) of dim floats: what an exact search needs to know about an inexact scan. The
 * derivation is in similarity.c. */
double dm_similarity_error_bound(uint32_t dim);

/* The scans themselves, for the table only. */
dm_similarity_scan dm_similarity_scan_scalar;
dm_similarity_scan dm_similarity_scan_avx2;
dm_similarity_scan dm_similarity_scan_avx512;
dm_similarity_scan dm_similarity_scan_neon;

#endif
