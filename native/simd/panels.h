/* panels.h: estimates of the cosines of one encoded query and rows that lie in panels of sixteen.
 *
 * A row that was projected to 32 dimensions is one half of a cache line: adding its products up across a vector would
 * cost more than making them. So sixteen rows are interleaved, four codes of each at a time. One step multiplies four
 * codes of sixteen rows with four of the query's, and a row's sum stays in its lane. */
#ifndef DUALMEM_SIMD_PANELS_H
#define DUALMEM_SIMD_PANELS_H

#include <stddef.h>
#include <stdint.h>

#include "simd/gather.h"
#include "simd/isa.h"
#include "simd/query.h"

enum {
    DM_PANEL_ROWS = 16,
    DM_PANEL_WORD = 4, /* codes of one row that lie side by side */
    DM_PANEL_LINE = 64 /* bytes: a word of each row, or the scale of each row */
};

/* Words of a row of `dim` codes: a multiple of four, because the padded dimension is one of sixteen. */
static inline size_t dm_panel_words(uint32_t dim) {
    return dm_padded_dim(dim) / DM_PANEL_WORD;
}

/* Word w of row r (its codes 4 w .. 4 w + 3, each offset by DM_CODE_OFFSET) is at byte (16 w + r) * 4; behind the words
 * are sixteen scales, float32. */
static inline size_t dm_panel_bytes(uint32_t dim) {
    return (dm_panel_words(dim) + 1) * DM_PANEL_LINE;
}

typedef struct dm_panels_variant {
    const char *name;
    dm_isa isa;
    /* estimates[16 p + r] = dot product of the weights and the codes of row r of panel p, times (the row's scale times
     * the weights' scale), in float32: the same bits in every variant. panels: `count` of them, at a 64-byte boundary.
     * estimates: 16 count, at any address. weights->values: 4 `words` of them, at a 64-byte boundary. */
    void (*scan)(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights, float *estimates);
} dm_panels_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_panels_variant dm_panels_variants[];
extern const size_t dm_panels_variant_count;

/* The variant of that name, or NULL. */
const dm_panels_variant *dm_panels_find(const char *name);

/* A panel of rows of which every estimate is 0. */
void dm_panel_clear(uint8_t *panel, size_t words);

/* Puts the codes of a row (4 words of them, without offset) and its scale in place r of a panel. */
void dm_panel_put(uint8_t *panel, uint32_t r, const int8_t *codes, float scale, size_t words);

/* The codes of a row, without offset, and its scale, back from the panel. */
float dm_panel_take(const uint8_t *panel, uint32_t r, int8_t *codes, size_t words);

/* The functions themselves, for the table only. */
void dm_panels_scan_scalar(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights, float *estimates);
void dm_panels_scan_avx2(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights, float *estimates);
void dm_panels_scan_avx512(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                           float *estimates);
void dm_panels_scan_avx512vnni(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights,
                               float *estimates);
void dm_panels_scan_neon(const uint8_t *panels, size_t count, size_t words, const dm_weights *weights, float *estimates);

#endif
