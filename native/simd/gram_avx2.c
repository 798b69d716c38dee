/* gram_avx2.c: see gram.h for why the dots have the bits of the scalar variant.
 *
 * Dots: two rows by three, two vectors each: twelve chains of fused multiply-adds (latency 4 x throughput 2 asks for
 * eight) with ten loads for them, from rows as they lie; a kernel that multiplies columns would need the rows
 * transposed. Reach: four rows by sixteen. Of one byte-by-byte multiply-add and one addition per 32 codes the former
 * has two ports, so 64 codes a cycle are the limit; every load is shared by two to four of them. */
#include "simd/gram.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

#include "simd/recency.h"

/* B_GROUP rows of 768 floats stay in a first-level cache of 32 KiB while all rows of a pass by. */
enum { A_ROWS = 2, B_ROWS = 3, B_GROUP = 6, REACH_ROWS = 4 };

static inline float sum_lanes(__m256 low, __m256 high) {
    __m256 eight = _mm256_add_ps(low, high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* a_count and b_count are constants in the caller. */
static inline __attribute__((always_inline)) void tile(const float *const *a, int a_count, const float *const *b,
                                                       int b_count, size_t padded, float *dots, size_t stride) {
    __m256 low[A_ROWS][B_ROWS];
    __m256 high[A_ROWS][B_ROWS];
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            low[i][j] = _mm256_setzero_ps();
            high[i][j] = _mm256_setzero_ps();
        }
    }
    for (size_t k = 0; k < padded; k += DM_GRAM_LANES) {
        __m256 b_low[B_ROWS];
        __m256 b_high[B_ROWS];
        for (int j = 0; j < b_count; j++) {
            b_low[j] = _mm256_load_ps(b[j] + k);
            b_high[j] = _mm256_load_ps(b[j] + k + 8);
        }
        for (int i = 0; i < a_count; i++) {
            __m256 a_low = _mm256_load_ps(a[i] + k);
            __m256 a_high = _mm256_load_ps(a[i] + k + 8);
            for (int j = 0; j < b_count; j++) {
                low[i][j] = _mm256_fmadd_ps(a_low, b_low[j], low[i][j]);
                high[i][j] = _mm256_fmadd_ps(a_high, b_high[j], high[i][j]);
            }
        }
    }
    for (int i = 0; i < a_count; i++) {
        for (int j = 0; j < b_count; j++) {
            dots[(size_t)i * stride + (size_t)j] = sum_lanes(low[i][j], high[i][j]);
        }
    }
}

static inline void dots_of_tile(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count,
                                size_t padded, float *dots, size_t stride) {
    switch ((a_count > 1 ? 3 : 0) + b_count) {
    case 1: tile(a, 1, b, 1, padded, dots, stride); break;
    case 2: tile(a, 1, b, 2, padded, dots, stride); break;
    case 3: tile(a, 1, b, 3, padded, dots, stride); break;
    case 4: tile(a, 2, b, 1, padded, dots, stride); break;
    case 5: tile(a, 2, b, 2, padded, dots, stride); break;
    default: tile(a, 2, b, 3, padded, dots, stride); break;
    }
}

void dm_gram_dots_avx2(const float *const *a, uint32_t a_count, const float *const *b, uint32_t b_count, size_t padded,
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

/* totals[r][v]: the dot products of row r with the lifted columns 8v..8v+7. */
static inline void code_dots(const int8_t *rows, const uint8_t *lifted, size_t words, __m256i totals[REACH_ROWS][2]) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (int r = 0; r < REACH_ROWS; r++) {
        totals[r][0] = _mm256_setzero_si256();
        totals[r][1] = _mm256_setzero_si256();
    }
    for (size_t begin = 0; begin < words; begin += DM_GRAM_FOLD) {
        __m256i sums[REACH_ROWS][2];
        for (int r = 0; r < REACH_ROWS; r++) {
            sums[r][0] = _mm256_setzero_si256();
            sums[r][1] = _mm256_setzero_si256();
        }
        for (size_t w = 0; w < DM_GRAM_FOLD; w++) {
            __m256i left = _mm256_load_si256((const __m256i *)(const void *)lifted);
            __m256i right = _mm256_load_si256((const __m256i *)(const void *)(lifted + 32));
            for (int r = 0; r < REACH_ROWS; r++) {
                int32_t word;
                memcpy(&word, rows + DM_GRAM_WORD * r, sizeof(word));
                __m256i four = _mm256_set1_epi32(word);
                sums[r][0] = _mm256_add_epi16(sums[r][0], _mm256_maddubs_epi16(left, four));
                sums[r][1] = _mm256_add_epi16(sums[r][1], _mm256_maddubs_epi16(right, four));
                /* Done with this row before the next: gcc 12 would make all eight products first and then keep a sum in
                 * memory for want of registers, whose latency costs 40 % of the speed. */
                __asm__ volatile("" : "+x"(sums[r][0]), "+x"(sums[r][1]));
            }
            lifted += DM_GRAM_PANEL * DM_GRAM_WORD;
            rows += DM_GRAM_PANEL * DM_GRAM_WORD;
        }
        for (int r = 0; r < REACH_ROWS; r++) {
            totals[r][0] = _mm256_add_epi32(totals[r][0], _mm256_madd_epi16(sums[r][0], ones));
            totals[r][1] = _mm256_add_epi32(totals[r][1], _mm256_madd_epi16(sums[r][1], ones));
        }
    }
}

uint32_t dm_gram_reach_avx2(const dm_gram_panel *a, const dm_gram_panel *b, size_t words, float least,
                            uint16_t masks[DM_GRAM_PANEL]) {
    uint32_t any = 0;
    for (uint32_t first = 0; first < DM_GRAM_PANEL; first += REACH_ROWS) {
        __m256i totals[REACH_ROWS][2];
        code_dots(a->codes + DM_GRAM_WORD * first, b->lifted, words, totals);
        for (uint32_t r = 0; r < REACH_ROWS; r++) {
            const uint32_t i = first + r;
            const __m256i offset = _mm256_set1_epi32(DM_GRAM_LEVELS * a->sums[i]);
            const __m256 scale = _mm256_set1_ps(a->scales[i]);
            const __m256 growth = _mm256_set1_ps(1.0f + a->radii[i]);
            const __m256 needed = _mm256_set1_ps(dm_gram_floor(least, a->radii[i]));
            uint32_t mask = 0;
            for (uint32_t v = 0; v < 2; v++) {
                __m256 sums = _mm256_cvtepi32_ps(_mm256_sub_epi32(totals[r][v], offset));
                __m256 product = _mm256_mul_ps(_mm256_mul_ps(sums, _mm256_loadu_ps(b->scales + 8 * v)), scale);
                __m256 bound = _mm256_add_ps(product, _mm256_mul_ps(_mm256_loadu_ps(b->radii + 8 * v), growth));
                mask |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(bound, needed, _CMP_GE_OQ)) << 8 * v;
            }
            masks[i] = (uint16_t)mask;
            any |= mask;
        }
    }
    return any;
}

size_t dm_gram_next_avx2(const double *sums, const double *weights, size_t count, size_t from, double least) {
    const __m256d needed = _mm256_set1_pd(least);
    for (size_t i = from & ~(size_t)7; i < count; i += 8) {
        __m256d low = _mm256_mul_pd(_mm256_load_pd(sums + i), _mm256_load_pd(weights + i));
        __m256d high = _mm256_mul_pd(_mm256_load_pd(sums + i + 4), _mm256_load_pd(weights + i + 4));
        uint32_t mask = (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(low, needed, _CMP_GE_OQ)) |
                        (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(high, needed, _CMP_GE_OQ)) << 4;
        mask &= i < from ? UINT32_MAX << (from - i) : UINT32_MAX;
        if (mask != 0) {
            return i + (size_t)__builtin_ctz(mask);
        }
    }
    return count;
}

/* dm_half_power of recency.h in four lanes: the same operations in the same order, none fused. */
static inline __m256d half_powers(__m256d x) {
    static const double terms[] = {DM_HALF_POWER_TERMS};
    x = _mm256_min_pd(x, _mm256_set1_pd(64.0));
    const __m128i whole = _mm256_cvttpd_epi32(_mm256_add_pd(x, _mm256_set1_pd(0.5)));
    const __m256d t = _mm256_mul_pd(_mm256_sub_pd(_mm256_cvtepi32_pd(whole), x), _mm256_set1_pd(DM_LN_2));
    __m256d sum = _mm256_set1_pd(terms[0]);
    for (size_t i = 1; i < sizeof(terms) / sizeof(terms[0]); i++) {
        sum = _mm256_add_pd(_mm256_mul_pd(sum, t), _mm256_set1_pd(terms[i]));
    }
    const __m256i exponents = _mm256_sub_epi64(_mm256_set1_epi64x(1023), _mm256_cvtepi32_epi64(whole));
    return _mm256_mul_pd(sum, _mm256_castsi256_pd(_mm256_slli_epi64(exponents, 52)));
}

/* dm_similarity_of and dm_recency in four lanes. */
static inline __m256d similarities_of(__m128 dots, __m256d times, double time, double half_lives) {
    const __m256d between = _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(times, _mm256_set1_pd(time)));
    const __m256d recencies = half_powers(_mm256_mul_pd(between, _mm256_set1_pd(half_lives)));
    const __m128 clamped = _mm_max_ps(_mm_min_ps(dots, _mm_set1_ps(1.0f)), _mm_set1_ps(-1.0f));
    const __m256d units =
        _mm256_mul_pd(_mm256_mul_pd(_mm256_cvtps_pd(clamped), recencies), _mm256_set1_pd(DM_SIMILARITY_ONE));
    const __m256d rounder = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_pd(_mm256_add_pd(units, rounder), rounder);
}

void dm_gram_weigh_avx2(const float *dots, const double *times, uint32_t count, double time, double half_lives,
                        double *similarities) {
    const uint32_t whole = count / 4 * 4;
    for (uint32_t j = 0; j < whole; j += 4) {
        _mm256_storeu_pd(similarities + j,
                         similarities_of(_mm_loadu_ps(dots + j), _mm256_loadu_pd(times + j), time, half_lives));
    }
    for (uint32_t j = whole; j < count; j++) {
        similarities[j] = dm_similarity_of(dots[j], dm_recency(times[j], time, half_lives));
    }
}

double dm_gram_largest_avx2(const double *sums, const double *weights, size_t count) {
    __m256d largest[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    for (size_t i = 0; i < count; i += 8) {
        for (size_t half = 0; half < 2; half++) {
            __m256d value = _mm256_mul_pd(_mm256_load_pd(sums + i + 4 * half), _mm256_load_pd(weights + i + 4 * half));
            largest[half] = _mm256_max_pd(largest[half], value);
        }
    }
    __m256d four = _mm256_max_pd(largest[0], largest[1]);
    __m128d two = _mm_max_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
