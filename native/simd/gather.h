/* gather.h: dot products of one encoded query with rows that lie anywhere among the codes of codes.h.
 *
 * A graph walks from row to row, so it wants the few that one node leads to, not a block. They come four at a time,
 * because four independent rows keep four times as many loads under way as one; the next four are asked for meanwhile. */
#ifndef DUALMEM_SIMD_GATHER_H
#define DUALMEM_SIMD_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "simd/isa.h"

typedef struct dm_gathered {
    const uint8_t *codes; /* 64-byte aligned; every byte offset by DM_CODE_OFFSET */
    size_t step;          /* bytes from a row to the next, a multiple of 64, at least `stride` */
    size_t stride;        /* bytes of a row: dm_code_stride(dim) */
} dm_gathered;

/* What is multiplied with the rows: whole numbers in [-64, 64], as codes.h has for a query. */
typedef struct dm_weights {
    const int8_t *values; /* 64-byte aligned, `stride` of them, zeros behind the last */
    int32_t sum;
    float scale;
} dm_weights;

typedef struct dm_gather_variant {
    const char *name;
    dm_isa isa;
    /* dots[i] = the dot product of the weights and the codes of row rows[i], their offset taken off; exact. */
    void (*dots)(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights, int32_t *dots);
} dm_gather_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_gather_variant dm_gather_variants[];
extern const size_t dm_gather_variant_count;

/* The variant of that name, or NULL. */
const dm_gather_variant *dm_gather_find(const char *name);

/* Turns the codes of a row, 8 bits and an offset, into weights of 7 bits, whose scale is twice that of the row. Halves
 * are rounded down at even places and up at odd ones, so that the sum has no bias. Returns the sum. */
int32_t dm_weights_of_row(int8_t *weights, const uint8_t *codes, size_t stride);

/* The functions themselves, for the table only. */
void dm_gather_dots_scalar(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                           int32_t *dots);
void dm_gather_dots_avx2(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                         int32_t *dots);
void dm_gather_dots_avx512(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                           int32_t *dots);
void dm_gather_dots_avx512vnni(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                               int32_t *dots);
void dm_gather_dots_neon(const dm_gathered *from, const uint32_t *rows, uint32_t count, const dm_weights *weights,
                         int32_t *dots);

#endif
