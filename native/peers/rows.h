/* rows.h: what adapters that scan rows have in common: the rows of a case made ready as in libdualmem's kernels, and the kernel
 * `similarity` around any way to scan them.
 *
 * Norms are paid for in setup, as there: a way that wants rows of unit length gets them. */
#ifndef DUALMEM_PEERS_ROWS_H
#define DUALMEM_PEERS_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dm_kernel.h"

typedef struct peer_rows {
    float *values; /* count x stride, 64-byte aligned, padded with zeros */
    size_t stride;
    uint32_t count;
    uint32_t dim;
    void *packed;  /* what the way's `pack` made of them, or NULL */
    double *wide;  /* count doubles of scratch */
} peer_rows;

/* Copies the first `count` rows, divided by their norms (or zero where the norm is) if `unit`. 1: done; 0: no memory. */
int peer_rows_create(peer_rows *rows, const dm_matrix *matrix, uint64_t count, int unit);
/* Accepts a zeroed one. */
void peer_rows_destroy(peer_rows *rows);

/* The numbers that libdualmem's kernels draw: splitmix64 (Steele, Lea & Flood 2014). */
static inline uint64_t peer_random(uint64_t *state) {
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* How a library compares one query with all rows. */
typedef struct peer_way {
    int unit;                                      /* rows and queries are divided by their norms */
    size_t (*packed_size)(const peer_rows *rows);  /* NULL: scanned as they are */
    void (*pack)(const peer_rows *rows, void *packed);
    void (*scan)(const peer_rows *rows, const float *query, float *cosines);
} peer_way;

/* dm_kernel's functions for `similarity`; an adapter's setup names its way. */
int32_t peer_similarity_setup(const dm_case *work, const peer_way *way, dm_state **state, char *error, size_t error_size);
uint64_t peer_similarity_run(dm_state *state, uint64_t iterations);
int32_t peer_similarity_output(dm_state *state, double *values, size_t count, size_t *needed);
void peer_similarity_teardown(dm_state *state);
/* For kernels without metrics. */
int32_t peer_no_metrics(dm_state *state, double *values, size_t count);

enum { PEER_SIMILARITY_PARAMETERS = 1 };
extern const dm_parameter peer_similarity_parameters[PEER_SIMILARITY_PARAMETERS];

#define PEER_SIMILARITY(VARIANT, SUMMARY, SETUP, SUPPORTED)                                                                   \
    {.size = sizeof(dm_kernel), .name = "similarity", .variant = VARIANT, .summary = SUMMARY, .tolerance = 1e-6,              \
     .output = DM_OUTPUT_VALUES, .needs_data = 1, .parameters = peer_similarity_parameters,                                   \
     .parameter_count = PEER_SIMILARITY_PARAMETERS, .supported = SUPPORTED, .setup = SETUP, .run = peer_similarity_run,       \
     .read_metrics = peer_no_metrics, .read_output = peer_similarity_output, .teardown = peer_similarity_teardown}

#endif
