/* workload.h: what the store's kernels have in common: a store filled from a case, and the order in which it is visited.
 *
 * Order. Each kernel walks a precomputed array of what it visits: random permutations of everything there is, one behind
 * the other, at least 4,096 entries and at least two rounds (so a core's branch predictor cannot learn it by heart), a power
 * of two long, capped at 4 Mi entries, whose targets no cache holds either. Reading it costs one sequential load, fetched
 * ahead by the hardware: 0.4 ns with the loop around it (type_discrimination_empty), the same for both arms. A generator in
 * the loop would put its multiplication into the chain that the address waits for. */
#ifndef DUALMEM_KERNELS_WORKLOAD_H
#define DUALMEM_KERNELS_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dm_kernel.h"
#include "store/store.h"

typedef struct dm_workload {
    dm_store *store;
    uint32_t concepts;
    uint32_t episodes;
    dm_memory memory; /* the sequence */
    uint32_t *sequence;
    uint64_t length; /* a power of two */
    uint64_t cursor; /* operations done */
    uint64_t random;
    size_t placement;
} dm_workload;

/* Node `number` of a workload: concepts are 0..concepts-1, then come the episodes (in a single-type store the same nodes
 * without a type). Ids are a name space and a counter, made where they are needed: in a table, the cache misses of reading
 * them would be the caller's, not the store's. */
static inline dm_id dm_workload_id(uint64_t number) {
    return (dm_id){number + UINT64_C(0x2545f4914f6cdd1d), UINT64_C(0x9fb21c651e98df25)};
}

static inline uint32_t dm_workload_slot(const dm_workload *workload, uint32_t number) {
    return workload->store->single_type ? number
           : number < workload->concepts ? dm_concept_slot(number)
                                         : number - workload->concepts;
}

/* Fills a store. Embeddings are the rows of the case's data, over again when there are more nodes; without data, 16 seeded
 * values each. */
int32_t dm_workload_create(dm_workload *workload, const dm_case *work, uint32_t concepts, uint32_t episodes,
                           int32_t single_type, char *error, size_t error_size);
void dm_workload_destroy(dm_workload *workload);

/* Uniform in [0, bound). */
uint64_t dm_workload_random(dm_workload *workload, uint64_t bound);

/* Makes the sequence over 0..count-1. */
int32_t dm_workload_sequence(dm_workload *workload, uint64_t count, char *error, size_t error_size);

/* Most often that one entry comes in one walk over the sequence. */
uint64_t dm_workload_repeats(const dm_workload *workload, uint64_t count);

/* Binds concept c to dm_workload_fan(c, fan, varied) distinct episodes, with strengths in [0.25, 0.75) that are multiples of 1/1024.
 * varied: 1..fan of them, a function of c; else fan. Needs episodes >= fan. */
int32_t dm_workload_bind(dm_workload *workload, uint32_t fan, int varied, char *error, size_t error_size);
/* What the bindings are made of, for models: how many concept c has, and which episode is its j-th. */
uint32_t dm_workload_fan(uint32_t concept_number, uint32_t fan, int varied);
uint32_t dm_workload_partner(const dm_workload *workload, uint32_t concept_number, uint32_t j);

/* population and memory_bytes of the store, then bytes_per_operation and working_set_bytes (NAN for random access): the metrics of all
 * these kernels. */
enum { DM_WORKLOAD_METRICS = 4 };
extern const dm_metric dm_workload_metrics[DM_WORKLOAD_METRICS];
int32_t dm_workload_read_metrics(dm_workload *workload, double bytes_per_operation, double working_set_bytes, double *values,
                                 size_t count);

/* dm_team_create, with threads that may run on every processor that the process may use: the host pins the one that calls a kernel,
 * threads inherit that, and a team on one processor would only take turns. */
int32_t dm_workload_team(uint32_t threads, dm_team **team, char *error, size_t error_size);

/* Allocates a zeroed state of a kernel; NULL and a sentence when there is no memory. */
void *dm_workload_state(size_t size, char *error, size_t error_size);
void dm_workload_free_state(void *state, size_t size);

/* What setup returns for a variant that is another processor's, or that this machine cannot run. */
int32_t dm_workload_refuse_variant(char *error, size_t error_size);

/* read_output of kernels that are judged by their checksum: there is none. */
int32_t dm_workload_no_output(dm_state *state, double *values, size_t count, size_t *needed);

#endif
