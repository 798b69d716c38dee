/* gram_avx512.c: see gram.h for why the dots have the bits of the scalar variant.
 *
 * Dots: sixteen lanes are one vector, so a tile of four rows by four is sixteen chains with eight loads for them. Reach: eight
 * rows by sixteen; a word of the sixteen columns is one vector, loaded once for the eight. */
#include "simd/gram.h"

#include "simd/avx512.h"

#if defined(DM_AVX512_CODE)

#include <string.h>

#include "simd/recency.h"

/* B_GROUP rows of 768 floats stay in a first-level cache of 32 KiB while all rows of a pass by. */
enum { A_ROWS = 4, B_ROWS = 4, B_GROUP = 8, REACH_ROWS = 8 };

static inline float sum_lanes(__m512 lanes) {
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(lanes), 1));
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), upper);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* a_count and b_count are constants in the caller. */
static inline __attribute__((always_inline)) void tile(const float *const *a, int a_count, const float *const *b,
                                                       int b_count, size_t padded, float *dots, size_t stride) {
    __m512 sums[A_ROWS][B_ROWS];
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            sums[i][j] = _mm512_setzero_ps();
        }
    }
    for (size_t k = 0; k < padded; k += DM_GRAM_LANES) {
        __m512 columns[B_ROWS];
        for (int j = 0; j < b_count; j++) {
            columns[j] = _mm512_load_ps(b[j] + k);
        }
        for (int i = 0; i < a_count; i++) {
            __m512 row = _mm512_load_ps(a[i] + k);
            for (int j = 0; j < b_count; j++) {
                sums[i][j] = dm_fused(row, columns[j], sums[i][j]);
            }
        }
    }
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            dots[(size_t)i * stride + (size_t)j] = sum_lanes(sums[i][j]);
        }
    }
}

static inline void dots_of_tile(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count,
                                size_t padded, float *dots, size_t stride) {
    if (a_count == A_ROWS && b_count == B_ROWS) {
        tile(a, A_ROWS, b, B_ROWS, padded, dots, stride);
        return;
    }
    for (uint32_t i = 0; i < a_count; i++) {
        float *row = dots + (size_t)i * stride;
        switch (b_count) {
        case 1: tile(a + i, 1, b, 1, padded, row, stride); break;
        case 2: tile(a + i, 1, b, 2, padded, row, stride); break;
        case 3: tile(a + i, 1, b, 3, padded, row, stride); break;
        default: tile(a + i, 1, b, 4, padded, row, stride); break;
        }
    }
}

void dm_gram_dots_avx512(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
                         float *dots, size_t stride) {
    for (uint32_t begin = 0; begin < b_count; begin += B_GROUP) {
        const uint32_t end = b_count - begin < B_GROUP ? b_count : begin + B_GROUP;
        for (uint32_t i = 0; i < a_count; i += A_ROWS) {
            const uint32_t a_left = a_count - i < A_ROWS ? a_count - i : A_ROWS;
            for (uint32_t j = begin; j < end; j += B_ROWS) {
                const uint32_t b_left = end - j < B_ROWS ? end - j : B_ROWS;
                dots_of_tile(a + i, a_left, b + j, b_left, padded, dots + i * stride + j, stride);
            }
        }
    }
}

/* totals[r]: the dot products of row r with the sixteen lifted columns. */
static inline void code_dots(const int8_t *rows, const uint8_t *lifted, size_t words, __m512i totals[REACH_ROWS]) {
    const __m512i ones = _mm512_set1_epi16(1);
    for (int r = 0; r < REACH_ROWS; r++) {
        totals[r] = _mm512_setzero_si512();
    }
    for (size_t begin = 0; begin < words; begin += DM_GRAM_FOLD) {
        __m512i sums[REACH_ROWS];
        for (int r = 0; r < REACH_ROWS; r++) {
            sums[r] = _mm512_setzero_si512();
        }
        for (size_t w = 0; w < DM_GRAM_FOLD; w++) {
            __m512i columns = _mm512_load_si512((const void *)lifted);
            for (int r = 0; r < REACH_ROWS; r++) {
                int32_t word;
                memcpy(&word, rows + DM_GRAM_WORD * r, sizeof(word));
                sums[r] = _mm512_add_epi16(sums[r], _mm512_maddubs_epi16(columns, _mm512_set1_epi32(word)));
            }
            lifted += DM_GRAM_PANEL * DM_GRAM_WORD;
            rows += DM_GRAM_PANEL * DM_GRAM_WORD;
        }
        for (int r = 0; r < REACH_ROWS; r++) {
            totals[r] = _mm512_add_epi32(totals[r], _mm512_madd_epi16(sums[r], ones));
        }
    }
}

uint32_t dm_gram_reach_avx512(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                              uint16_t masks[DM_GRAM_PANEL]) {
    const __m512 scales = _mm512_loadu_ps(b->scales);
    const __m512 radii = _mm512_loadu_ps(b->radii);
    uint32_t any = 0;
    for (uint32_t first = 0; first < DM_GRAM_PANEL; first += REACH_ROWS) {
        __m512i totals[REACH_ROWS];
        code_dots(a->codes + DM_GRAM_WORD * first, b->lifted, words, totals);
        for (uint32_t r = 0; r < REACH_ROWS; r++) {
            const uint32_t i = first + r;
            __m512i offset = _mm512_set1_epi32(DM_GRAM_LEVELS * a->sums[i]);
            __m512 sums = _mm512_cvtepi32_ps(_mm512_sub_epi32(totals[r], offset));
            __m512 product = _mm512_mul_ps(_mm512_mul_ps(sums, scales), _mm512_set1_ps(a->scales[i]));
            __m512 bound = _mm512_add_ps(product, _mm512_mul_ps(radii, _mm512_set1_ps(1.0f + a->radii[i])));
            __m512 needed = _mm512_set1_ps(dm_gram_floor(least, a->radii[i]));
            masks[i] = (uint16_t)_mm512_cmp_ps_mask(bound, needed, _CMP_GE_OQ);
            any |= masks[i];
        }
    }
    return any;
}

size_t dm_gram_next_avx512(const double *sums, const double *weights, size_t count, size_t from, double least) {
    const __m512d needed = _mm512_set1_pd(least);
    for (size_t i = from & ~(size_t)7; i < count; i += 8) {
        __m512d value = _mm512_mul_pd(_mm512_load_pd(sums + i), _mm512_load_pd(weights + i));
        uint32_t mask = _mm512_cmp_pd_mask(value, needed, _CMP_GE_OQ);
        mask &= i < from ? UINT32_MAX << (from - i) : UINT32_MAX;
        if (mask != 0) {
            return i + (size_t)__builtin_ctz(mask);
        }
    }
    return count;
}

/* dm_half_power of recency.h in eight lanes: the same operations in the same order, none fused. The last one is exact, so a
 * scaling by 2^-whole gives what the product with it gives. */
static inline __m512d half_powers(__m512d x) {
    static const double terms[] = {DM_HALF_POWER_TERMS};
    x = _mm512_min_pd(x, _mm512_set1_pd(64.0));
    const __m512d whole = _mm512_roundscale_pd(_mm512_add_pd(x, _mm512_set1_pd(0.5)), _MM_FROUND_TO_NEG_INF);
    const __m512d t = _mm512_mul_pd(_mm512_sub_pd(whole, x), _mm512_set1_pd(DM_LN_2));
    __m512d sum = _mm512_set1_pd(terms[0]);
    for (size_t i = 1; i < sizeof(terms) / sizeof(terms[0]); i++) {
        sum = _mm512_add_pd(_mm512_mul_pd(sum, t), _mm512_set1_pd(terms[i]));
    }
    return _mm512_scalef_pd(sum, _mm512_sub_pd(_mm512_setzero_pd(), whole));
}

/* dm_similarity_of and dm_recency in eight lanes. */
static inline __m512d similarities_of(__m256 dots, __m512d times, double time, double half_lives) {
    const __m512d between = _mm512_abs_pd(_mm512_sub_pd(times, _mm512_set1_pd(time)));
    const __m512d recencies = half_powers(_mm512_mul_pd(between, _mm512_set1_pd(half_lives)));
    const __m256 clamped = _mm256_max_ps(_mm256_min_ps(dots, _mm256_set1_ps(1.0f)), _mm256_set1_ps(-1.0f));
    const __m512d units = _mm512_mul_pd(_mm512_mul_pd(dm_widen(clamped), recencies), _mm512_set1_pd(DM_SIMILARITY_ONE));
    const __m512d rounder = _mm512_set1_pd(0x1.8p52);
    return _mm512_sub_pd(_mm512_add_pd(units, rounder), rounder);
}

void dm_gram_weigh_avx512(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                          double *similarities) {
    const uint32_t whole = count / 8 * 8;
    for (uint32_t j = 0; j < whole; j += 8) {
        _mm512_storeu_pd(similarities + j,
                         similarities_of(_mm256_loadu_ps(dots + j), _mm512_loadu_pd(times + j), time, half_lives));
    }
    for (uint32_t j = whole; j < count; j++) {
        similarities[j] = dm_similarity_of(dots[j], dm_recency(times[j], time, half_lives));
    }
}

double dm_gram_largest_avx512(const double *sums, const double *weights, size_t count) {
    __m512d largest = _mm512_setzero_pd();
    for (size_t i = 0; i < count; i += 8) {
        largest = _mm512_max_pd(largest, _mm512_mul_pd(_mm512_load_pd(sums + i), _mm512_load_pd(weights + i)));
    }
    return _mm512_reduce_max_pd(largest);
}

#endif
