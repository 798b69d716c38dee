/* codes_avx2.c: four rows at once, 32 codes of each per step.
 *
 * Per 32 codes: one multiply-add of bytes to 16 bits, one of 16 to 32 bits, one addition; the first two share two ports,
 * so 32 multiply-adds per cycle are the limit. Codes that do not fit L1 are asked for four rows ahead: 13.2 -> 11.2 us for
 * 1,000 x 768 (L2 and L3), 169 -> 119 us for 10,000; from L1 the requests would cost 0.03 of 0.16 us, so they are left out. */
#include "simd/codes.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "simd/similarity.h"

enum { L1_BYTES = 32 * 1024 };

static inline float sum_floats(__m256 lanes) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline float largest_float(__m256 lanes) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline int32_t sum_whole(__m256i lanes) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

dm_code_facts dm_codes_encode_avx2(int8_t *codes, const float *unit, uint32_t dim, int32_t levels) {
    const size_t padded = dm_padded_dim(dim);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 largest_lanes = _mm256_setzero_ps();
    for (size_t i = 0; i < padded; i += 8) {
        largest_lanes = _mm256_max_ps(largest_lanes, _mm256_andnot_ps(sign, _mm256_load_ps(unit + i)));
    }
    const float largest = largest_float(largest_lanes);
    memset(codes + padded, 0, dm_code_stride(dim) - padded);
    if (largest == 0.0f) {
        memset(codes, 0, padded);
        return (dm_code_facts){.scale = 0.0f, .radius = dm_code_radius_of(0.0), .sum = 0};
    }
    const float scale = largest / (float)levels;
    const __m256 steps = _mm256_set1_ps((float)levels / largest);
    const __m256 scales = _mm256_set1_ps(scale);
    __m256 residuals[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    __m256i sums = _mm256_setzero_si256();
    for (size_t i = 0; i < padded; i += 16) {
        __m256i code[2];
        for (size_t half = 0; half < 2; half++) {
            __m256 values = _mm256_load_ps(unit + i + 8 * half);
            code[half] = _mm256_cvtps_epi32(_mm256_mul_ps(values, steps));
            __m256 rest = _mm256_fnmadd_ps(scales, _mm256_cvtepi32_ps(code[half]), values);
            residuals[half] = _mm256_fmadd_ps(rest, rest, residuals[half]);
            sums = _mm256_add_epi32(sums, code[half]);
        }
        /* Packing works within halves of a register: the permutation puts the quarters back in order. */
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(code[0], code[1]), 0xD8);
        __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_store_si128((__m128i *)(void *)(codes + i), bytes);
    }
    float residual = sum_floats(_mm256_add_ps(residuals[0], residuals[1]));
    return (dm_code_facts){.scale = scale, .radius = dm_code_radius_of(sqrt((double)residual)), .sum = sum_whole(sums)};
}

/* The dot products of four rows, still offset. ahead: bytes from a row to the one to ask for; 0: do not ask. */
static inline __m128i dot_four(const uint8_t *const row[4], const int8_t *query, size_t stride, ptrdiff_t ahead) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[4];
    for (int r = 0; r < 4; r++) {
        sums[r] = _mm256_setzero_si256();
    }
    for (size_t i = 0; i < stride; i += 32) {
        if (ahead != 0 && i % 64 == 0) {
            for (int r = 0; r < 4; r++) {
                _mm_prefetch((const char *)(row[r] + i) + ahead, _MM_HINT_T0);
            }
        }
        __m256i weights = _mm256_load_si256((const __m256i *)(const void *)(query + i));
        for (int r = 0; r < 4; r++) {
            __m256i values = _mm256_load_si256((const __m256i *)(const void *)(row[r] + i));
            __m256i pairs = _mm256_maddubs_epi16(values, weights);
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(pairs, ones));
        }
    }
    __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

typedef struct block_terms {
    __m128i offset;
    __m128 scale;
    __m128 growth;
    __m128 lift;
} block_terms;

/* Multiplications and additions apart, not fused: the same bits as the scalar variant. */
static inline __m128 bounds_of(__m128i dots, __m128 scales, __m128 radii, const block_terms *terms) {
    __m128 dot = _mm_cvtepi32_ps(_mm_sub_epi32(dots, terms->offset));
    __m128 product = _mm_mul_ps(dot, _mm_mul_ps(scales, terms->scale));
    return _mm_add_ps(product, _mm_add_ps(_mm_mul_ps(radii, terms->growth), terms->lift));
}

/* The last one to three rows: a block filled up with the last row. */
static void scan_rest(const dm_codes *codes, const int8_t *query, const block_terms *terms, float *bounds,
                      uint32_t first) {
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
    __m128i dots = dot_four(row, query, stride, 0);
    _mm_storeu_ps(block, bounds_of(dots, _mm_loadu_ps(scales), _mm_loadu_ps(radii), terms));
    for (uint32_t r = 0; first + r < codes->count; r++) {
        bounds[first + r] = block[r];
    }
}

void dm_codes_scan_avx2(const dm_codes *codes, const int8_t *query, dm_code_facts facts, float *bounds,
                        int32_t direction) {
    const size_t stride = dm_code_stride(codes->dim);
    const dm_code_terms scalars = dm_code_terms_of(facts.radius);
    const block_terms terms = {
        .offset = _mm_set1_epi32(DM_CODE_OFFSET * facts.sum),
        .scale = _mm_set1_ps(facts.scale),
        .growth = _mm_set1_ps(scalars.growth),
        .lift = _mm_set1_ps(scalars.lift),
    };
    const uint32_t blocks = codes->count / 4;
    const uint32_t rest = codes->count % 4;
    const int backward = direction == DM_SCAN_BACKWARD;
    const int far = codes->count * stride > L1_BYTES;
    const ptrdiff_t next = backward ? -(ptrdiff_t)(4 * stride) : (ptrdiff_t)(4 * stride);
    if (rest != 0 && backward) {
        scan_rest(codes, query, &terms, bounds, 4 * blocks);
    }
    for (uint32_t step = 0; step < blocks; step++) {
        uint32_t first = 4 * (backward ? blocks - 1 - step : step);
        const uint8_t *begin = codes->values + first * stride;
        const uint8_t *const row[4] = {begin, begin + stride, begin + 2 * stride, begin + 3 * stride};
        /* One call with a constant each, so that the loop without requests has no test in it. */
        __m128i dots = far && step + 1 < blocks ? dot_four(row, query, stride, next) : dot_four(row, query, stride, 0);
        __m128 bound = bounds_of(dots, _mm_loadu_ps(codes->scales + first), _mm_loadu_ps(codes->radii + first), &terms);
        _mm_storeu_ps(bounds + first, bound);
    }
    if (rest != 0 && !backward) {
        scan_rest(codes, query, &terms, bounds, 4 * blocks);
    }
}

#endif
