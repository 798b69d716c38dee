/* codes_avx512.h: the scan that codes_avx512.c and codes_avx512vnni.c share: four rows at once, 64 codes of each per step.
 * They differ in one step, how 64 products are added to 16 sums, which each hands in; it is inlined. */
#ifndef DUALMEM_SIMD_CODES_AVX512_H
#define DUALMEM_SIMD_CODES_AVX512_H

#include "simd/avx512.h"
#include "simd/codes.h"
#include "simd/similarity.h"

#if defined(DM_AVX512_CODE)

#define DM_INLINE static inline __attribute__((always_inline))

enum { DM_L1_BYTES = 32 * 1024 };

/* sums[i] + the products of values 4 i to 4 i + 3 (unsigned) with the weights at the same places (signed). */
typedef __m512i dm_multiply_add(__m512i sums, __m512i values, __m512i weights);

DM_INLINE __m256i dm_fold_halves(__m512i lanes) {
    return _mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64(lanes, 1));
}

/* The dot products of four rows, still offset. ahead: bytes from a row to the one to ask for; 0: do not ask. */
DM_INLINE __m128i dm_dot_four(dm_multiply_add *multiply_add, const uint8_t *const row[4], const int8_t *query,
                              size_t stride, ptrdiff_t ahead) {
    __m512i sums[4];
    for (int r = 0; r < 4; r++) {
        sums[r] = _mm512_setzero_si512();
    }
    for (size_t i = 0; i < stride; i += 64) {
        if (ahead != 0) {
            for (int r = 0; r < 4; r++) {
                __builtin_prefetch((const char *)(row[r] + i) + ahead, 0, 3);
            }
        }
        __m512i weights = _mm512_load_si512((const void *)(query + i));
        for (int r = 0; r < 4; r++) {
            sums[r] = multiply_add(sums[r], _mm512_load_si512((const void *)(row[r] + i)), weights);
        }
    }
    __m256i ab = _mm256_hadd_epi32(dm_fold_halves(sums[0]), dm_fold_halves(sums[1]));
    __m256i cd = _mm256_hadd_epi32(dm_fold_halves(sums[2]), dm_fold_halves(sums[3]));
    __m256i abcd = _mm256_hadd_epi32(ab, cd);
    return _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256(abcd, 1));
}

typedef struct dm_block_terms {
    __m128i offset;
    __m128 scale;
    __m128 growth;
    __m128 lift;
} dm_block_terms;

/* Multiplications and additions apart, not fused: the same bits as the scalar variant. */
DM_INLINE __m128 dm_bounds_of(__m128i dots, __m128 scales, __m128 radii, const dm_block_terms *terms) {
    __m128 dot = _mm_cvtepi32_ps(_mm_sub_epi32(dots, terms->offset));
    __m128 product = _mm_mul_ps(dot, _mm_mul_ps(scales, terms->scale));
    return _mm_add_ps(product, _mm_add_ps(_mm_mul_ps(radii, terms->growth), terms->lift));
}

/* The last one to three rows: a block filled up with the last row. */
DM_INLINE void dm_scan_rest(dm_multiply_add *multiply_add, const dm_codes *codes, const int8_t *query,
                            const dm_block_terms *terms, float *bounds, uint32_t first) {
    const size_t stride = dm_code_stride(codes->dim);
    const uint8_t *row[4];
    float scales[4];
    float radii[4];
    for (uint32_t r = 0; r < 4; r++) {
        uint32_t there = first + r < codes->count ? first + r : codes->count - 1;
        row[r] = codes->values + there * stride;
        scales[r] = codes->scales[there];
        radii[r] = codes->radii[there];
    }
    float block[4];
    __m128i dots = dm_dot_four(multiply_add, row, query, stride, 0);
    _mm_storeu_ps(block, dm_bounds_of(dots, _mm_loadu_ps(scales), _mm_loadu_ps(radii), terms));
    for (uint32_t r = 0; first + r < codes->count; r++) {
        bounds[first + r] = block[r];
    }
}

DM_INLINE void dm_scan_codes(dm_multiply_add *multiply_add, const dm_codes *codes, const int8_t *query,
                             dm_code_facts facts, float *bounds, int32_t direction) {
    const size_t stride = dm_code_stride(codes->dim);
    const dm_code_terms scalars = dm_code_terms_of(facts.radius);
    const dm_block_terms terms = {
        .offset = _mm_set1_epi32(DM_CODE_OFFSET * facts.sum),
        .scale = _mm_set1_ps(facts.scale),
        .growth = _mm_set1_ps(scalars.growth),
        .lift = _mm_set1_ps(scalars.lift),
    };
    const uint32_t blocks = codes->count / 4;
    const uint32_t rest = codes->count % 4;
    const int backward = direction == DM_SCAN_BACKWARD;
    const int far = codes->count * stride > DM_L1_BYTES;
    const ptrdiff_t next = backward ? -(ptrdiff_t)(4 * stride) : (ptrdiff_t)(4 * stride);
    if (rest != 0 && backward) {
        dm_scan_rest(multiply_add, codes, query, &terms, bounds, 4 * blocks);
    }
    for (uint32_t step = 0; step < blocks; step++) {
        uint32_t first = 4 * (backward ? blocks - 1 - step : step);
        const uint8_t *begin = codes->values + first * stride;
        const uint8_t *const row[4] = {begin, begin + stride, begin + 2 * stride, begin + 3 * stride};
        /* One call with a constant each, so that the loop without requests has no test in it. */
        __m128i dots = far && step + 1 < blocks ? dm_dot_four(multiply_add, row, query, stride, next)
                                                : dm_dot_four(multiply_add, row, query, stride, 0);
        __m128 scales = _mm_loadu_ps(codes->scales + first);
        _mm_storeu_ps(bounds + first, dm_bounds_of(dots, scales, _mm_loadu_ps(codes->radii + first), &terms));
    }
    if (rest != 0 && !backward) {
        dm_scan_rest(multiply_add, codes, query, &terms, bounds, 4 * blocks);
    }
}

#endif

#endif
