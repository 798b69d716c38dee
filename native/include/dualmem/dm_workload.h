/* dm_workload.h: the workload table, version 1.0.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A kernel (dm_kernel.h) is one operation in a loop on one thread. A workload is a store in use: operations of several
 * kinds, by several threads, on one state. A library that has workloads exports, beside its kernel table or without one,
 *
 *     const dm_workload_library *dm_workload_library_get(void);
 *
 * Like dm_kernel.h this header is all that an author needs, with dm_kernel.h beside it.
 *
 * What is done when is not the library's business: a trace says it, a list of (time, operation, key) that the host made
 * from the scenario, recorded or converted, and that the host's threads obey (docs/reference/trace-format.md).
 *
 * The life of one workload in one process:
 *
 *     supported -> setup -> read_metrics, read_fans (is the store what the scenario promises?) -> operate, by
 *     `threads` threads at once -> read_metrics, read_fans -> teardown
 *
 * Threads: setup, the readers and teardown are called by one thread while no other call runs. operate is called by
 * `threads` threads at once, each with a number of its own in [0, threads).
 *
 * Time: only operate is timed. It may lock and allocate if the store it stands for does; that is what is measured.
 *
 * Steadiness: keys and mix come from the trace, so that a trace that inserts for an hour makes the store grow for an
 * hour; a workload must not drift by other ways (strengths saturated at 1, values decayed to denormals).
 *
 * Growth: every struct begins with its own size and only ever grows at its end, as in dm_kernel.h.
 */
#ifndef DUALMEM_DM_WORKLOAD_H
#define DUALMEM_DM_WORKLOAD_H

#include "dm_kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DM_WORKLOAD_ABI_MAJOR = 1, DM_WORKLOAD_ABI_MINOR = 0 };

/* What the key of an operation counts. A key is below the number of things that the trace knows of: those that the
 * scenario promises after set-up, and those that the trace itself inserted before. Operations run at once, so an insertion
 * may not be done yet when its key is used: take the key modulo what there is. */
enum {
    DM_KEY_NONE = 0,    /* the key means nothing */
    DM_KEY_QUERY = 1,   /* a row of case.queries */
    DM_KEY_EPISODE = 2, /* an episode, in order of insertion */
    DM_KEY_CONCEPT = 3, /* a concept, in order of insertion */
    DM_KEY_BINDING = 4, /* a binding, in order of insertion */
    DM_KEY_DATA = 5     /* a row of case.data */
};

/* A kind of operation. A trace names the kinds it uses; the host maps names to places in this table. */
typedef struct dm_operation {
    size_t size;
    const char *name;    /* lower_case_with_underscores: "lookup" */
    const char *meaning; /* one line: what one operation does */
    int32_t key;         /* DM_KEY_...: what its key counts */
    int32_t inserts;     /* DM_KEY_...: what one operation adds one of; DM_KEY_NONE: nothing */
} dm_operation;

/* What the host can ask of the store after set-up and again at the end, to prove what was measured. Metrics are declared as in
 * dm_kernel.h; names with a meaning to the host, when declared:
 *   episodes, concepts, bindings, index_rows    counts that the store holds, counted by walking it, not remembered
 *   population                                  all nodes; 0 makes the case invalid
 *   similarity_within, similarity_between       mean cosine of members of one concept, and of members of different ones
 *   memory_bytes, hit_rate                      as in dm_kernel.h; share of the metadata cache's answers since set-up
 *   <operation>_work                            what the operations of a kind had to do since set-up, counted in what the
 *                                               workload knows best (edges, rows); the host tells it per operation, and how
 *                                               it grows along a trace, so that more work is not taken for a slower machine
 * A parameter of the same name as a metric is a promise: the host compares them after set-up and refuses the case when they differ. */

typedef struct dm_workload {
    size_t size;
    const char *name;    /* "mixed" */
    const char *variant; /* "dual", "single"; name and variant together are unique in the table */
    const char *summary; /* one line */
    int32_t needs_data;  /* 1: case.data (and case.queries) must be there */
    const dm_parameter *parameters;
    size_t parameter_count;
    const dm_metric *metrics;
    size_t metric_count;
    const dm_operation *operations;
    size_t operation_count;

    /* Optional. As in dm_kernel. */
    int32_t (*supported)(char *reason, size_t reason_size);

    /* Untimed. Makes the state that `threads` threads will work on. On failure *state stays NULL and nothing is leaked.
     * Two states set up from the same case are equal. */
    int32_t (*setup)(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size);

    /* Timed. Performs one operation of kind `operation` (a place in `operations`). *result depends on what it found, so that
     * a trace played by one thread gives the same results from two builds that mean the same. Returns DM_OK or
     * DM_ERROR_...; an error is counted, and judged by the scenario, and does not end the run. */
    int32_t (*operate)(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result);

    /* Untimed. values: metric_count numbers, NaN for one that is not known. */
    int32_t (*read_metrics)(dm_state *state, double *values, size_t count);

    /* Optional, untimed. How many nodes have 0, 1, 2, ... bindings: counts[f] for a fan of f, the last one for all that are
     * above. *needed: entries up to the largest fan there is. At most `count` are written. */
    int32_t (*read_fans)(dm_state *state, uint64_t *counts, size_t count, size_t *needed);

    /* Untimed. Frees everything. Accepts NULL. */
    void (*teardown)(dm_state *state);
} dm_workload;

typedef struct dm_workload_library {
    size_t size;
    uint32_t abi_major; /* DM_WORKLOAD_ABI_MAJOR */
    uint32_t abi_minor; /* DM_WORKLOAD_ABI_MINOR */
    const char *name;
    const char *version;
    const char *revision; /* of the source; "" when not known */
    const dm_workload *const *workloads;
    size_t workload_count;
} dm_workload_library;

/* The one exported symbol. Returns static constant data; callable at any time, from any thread. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const dm_workload_library *dm_workload_library_get(void);

#ifdef __cplusplus
}
#endif

#endif
