/* choose_avx512.c: 64 groups at a time in four registers; 64 numbers per branch. */
#include "simd/choose.h"

#include "simd/avx512.h"

#if defined(DM_AVX512_CODE)

enum { REGISTERS = 4, LANES = 16, STRIP = REGISTERS * LANES };

static inline uint32_t at_most_lanes(size_t left) {
    return left < LANES ? (uint32_t)left : LANES;
}

static inline __mmask16 first_lanes(uint32_t count) {
    return (__mmask16)((1u << count) - 1u);
}

/* The peaks of 64 neighbouring groups. */
static inline void strip_peaks(const float *values, uint32_t count, float empty, float *peaks, uint32_t first,
                               uint32_t groups) {
    __m512 largest[REGISTERS];
    for (uint32_t r = 0; r < REGISTERS; r++) {
        largest[r] = _mm512_set1_ps(empty);
    }
    size_t i = first;
    for (; i + STRIP <= count; i += groups) {
        for (uint32_t r = 0; r < REGISTERS; r++) {
            largest[r] = _mm512_max_ps(largest[r], _mm512_load_ps(values + i + (size_t)r * LANES));
        }
    }
    for (uint32_t r = 0; i < count; r++, i += LANES) { /* the last, incomplete strip */
        const uint32_t there = at_most_lanes(count - i);
        __m512 rest = dm_load_first(values + i, there);
        largest[r] = _mm512_mask_max_ps(largest[r], first_lanes(there), largest[r], rest);
    }
    for (uint32_t r = 0; r < REGISTERS; r++) {
        _mm512_storeu_ps(peaks + first + r * LANES, largest[r]);
    }
}

void dm_choose_peaks_avx512(const float *values, uint32_t count, float empty, float *peaks, uint32_t groups) {
    for (uint32_t first = 0; first < groups; first += STRIP) {
        strip_peaks(values, count, empty, peaks, first, groups);
    }
}

/* Appends the numbers of the bits that are set, from `first` on. Returns the new size. */
static inline uint32_t append(uint64_t hits, uint32_t first, uint32_t *chosen, uint32_t size) {
    for (; hits != 0; hits &= hits - 1) {
        chosen[size++] = first + (uint32_t)__builtin_ctzll(hits);
    }
    return size;
}

uint32_t dm_choose_at_least_avx512(const float *values, uint32_t count, float least, uint32_t *chosen) {
    const __m512 limit = _mm512_set1_ps(least);
    uint32_t size = 0;
    uint32_t i = 0;
    for (; i + STRIP <= count; i += STRIP) {
        uint64_t hits = 0;
        for (uint32_t r = 0; r < REGISTERS; r++) {
            __mmask16 reached = _mm512_cmp_ps_mask(_mm512_load_ps(values + i + r * LANES), limit, _CMP_GE_OQ);
            hits |= (uint64_t)reached << (r * LANES);
        }
        size = append(hits, i, chosen, size);
    }
    for (; i < count; i += LANES) {
        const uint32_t there = at_most_lanes(count - i);
        __mmask16 reached = _mm512_cmp_ps_mask(dm_load_first(values + i, there), limit, _CMP_GE_OQ);
        size = append(reached & first_lanes(there), i, chosen, size);
    }
    return size;
}

#endif
