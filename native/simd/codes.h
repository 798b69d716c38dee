/* codes.h: rows as 8-bit codes, and a scan of them that yields upper bounds of the cosines.
 *
 * A quarter of the bytes of float32 at twice the multiply rate. The bounds hold for every finite input (the proof is in
 * codes.c), so a search that looks at the float32 rows of all those whose bound reaches the k-th best cosine is exact.
 *
 * A row is stored as whole numbers in [-127, 127], offset by 128 into an unsigned byte; the query as whole numbers in
 * [-64, 64]. So the byte-by-byte multiply-add of x86 (vpmaddubsw: unsigned by signed, pairs added with saturation to 16
 * bits) cannot saturate, 2 x 255 x 64 = 32,640 < 32,768, and the offset costs one subtraction per row. The alternative,
 * 8 bits for the query as well, must move the sign from one operand to the other: 0.20 instead of 0.16 us for 16 x 768, 15.4
 * instead of 13.2 us for 1,000 x 768. Its tighter bound would save about 1 us of rescoring there. */
#ifndef DUALMEM_SIMD_CODES_H
#define DUALMEM_SIMD_CODES_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

enum { DM_CODE_OFFSET = 128, DM_CODE_ROW_LEVELS = 127, DM_CODE_QUERY_LEVELS = 64 };

/* Bytes that the codes of a vector of `dim` take: whole cache lines. */
static inline size_t dm_code_stride(uint32_t dim) {
    return ((size_t)dim + 63u) & ~(size_t)63u;
}

/* What the codes c of a vector x say of it: x / |x| = scale * c + e with |e| <= radius. */
typedef struct dm_code_facts {
    float scale;
    float radius;
    int32_t sum; /* of the codes */
} dm_code_facts;

/* Encoded rows. values: 64-byte aligned, dm_code_stride(dim) bytes a row, every byte offset by DM_CODE_OFFSET. */
typedef struct dm_codes {
    const uint8_t *values;
    const float *scales; /* dm_code_facts of each row */
    const float *radii;
    uint32_t count;
    uint32_t dim;
} dm_codes;

typedef struct dm_codes_variant {
    const char *name;
    dm_isa isa;
    /* unit: x / |x| as in dm_query.unit, or zeros. codes: dm_code_stride(dim) bytes at a 64-byte boundary; receives whole
     * numbers in [-levels, levels] (levels <= 127), and zeros behind them. The codes have the same bits in every variant. */
    dm_code_facts (*encode)(int8_t *codes, const float *unit, uint32_t dim, int32_t levels);
    /* bounds[r] >= cosine of row r and the query, for every row. query: encoded with DM_CODE_QUERY_LEVELS. The bounds have
     * the same bits in every variant. direction: DM_SCAN_... of similarity.h. */
    void (*scan)(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds, int32_t direction);
} dm_codes_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_codes_variant dm_codes_variants[];
extern const size_t dm_codes_variant_count;

/* The variant of that name, or NULL. */
const dm_codes_variant *dm_codes_find(const char *name);

/* bound = row scale * query scale * dot(codes) + row radius * growth + lift. */
typedef struct dm_code_terms {
    float growth;
    float lift;
} dm_code_terms;

dm_code_terms dm_code_terms_of(float query_radius);

/* The radius that is reported for a residual whose computed norm is `norm`: rounding included. */
float dm_code_radius_of(double norm);

/* The functions themselves, for the table only. */
dm_code_facts dm_codes_encode_scalar(int8_t *codes, const float *unit, uint32_t dim, int32_t levels);
dm_code_facts dm_codes_encode_avx2(int8_t *codes, const float *unit, uint32_t dim, int32_t levels);
dm_code_facts dm_codes_encode_avx512(int8_t *codes, const float *unit, uint32_t dim, int32_t levels);
dm_code_facts dm_codes_encode_neon(int8_t *codes, const float *unit, uint32_t dim, int32_t levels);
void dm_codes_scan_scalar(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                          int32_t direction);
void dm_codes_scan_avx2(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                        int32_t direction);
void dm_codes_scan_avx512(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                          int32_t direction);
void dm_codes_scan_avx512vnni(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                              int32_t direction);
void dm_codes_scan_neon(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                        int32_t direction);

#endif
