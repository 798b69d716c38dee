/* workload.c: see workload.h. */
#include "kernels/workload.h"

#include <sched.h>
#include <string.h>

#include "store/poison.h"

enum { SYNTHETIC_DIM = 16, SEQUENCE_MIN = 4096, SEQUENCE_MAX = 1 << 22 };

/* splitmix64 (Steele, Lea & Flood 2014): passes statistical tests, and any seed is a good one. */
static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t dm_workload_random(dm_workload *workload, uint64_t bound) {
    workload->random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(workload->random) % bound;
}

/* --- the store ------------------------------------------------------------------------------------------------------ */

static const float *embedding(dm_workload *workload, const dm_case *work, uint32_t number, float *scratch) {
    if (work->data.values != NULL) {
        return work->data.values + (number % work->data.rows) * work->data.stride;
    }
    for (uint32_t i = 0; i < SYNTHETIC_DIM; i++) {
        scratch[i] = (float)dm_workload_random(workload, 2048) / 1024.0f - 1.0f;
    }
    return scratch;
}

static int32_t add(dm_workload *workload, uint32_t number, const float *values, char *error, size_t error_size) {
    dm_id id = dm_workload_id(number);
    uint32_t slot = DM_SLOT_NONE;
    if (workload->store->single_type) {
        return dm_store_add_node(workload->store, id, values, &slot, error, error_size);
    }
    return number < workload->concepts ? dm_store_add_concept(workload->store, id, values, &slot, error, error_size)
                                       : dm_store_add_episode(workload->store, id, values, &slot, error, error_size);
}

int32_t dm_workload_create(dm_workload *workload, const dm_case *work, uint32_t concepts, uint32_t episodes,
                           int32_t single_type, char *error, size_t error_size) {
    workload->concepts = concepts;
    workload->episodes = episodes;
    workload->random = work->seed;
    workload->placement = work->placement;
    int has_data = work->data.values != NULL;
    if (has_data && (work->data.columns < 1 || work->data.columns > DM_DIM_MAX)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "data of %llu columns; a store takes 1..%d",
                       (unsigned long long)work->data.columns, DM_DIM_MAX);
    }
    dm_store_options options = {.size = sizeof(options),
                                .dim = has_data ? (uint32_t)work->data.columns : SYNTHETIC_DIM,
                                .concept_capacity = concepts,
                                .episode_capacity = episodes,
                                .single_type = single_type,
                                .placement = work->placement};
    int32_t status = dm_store_create(&options, &workload->store, error, error_size);
    float scratch[SYNTHETIC_DIM];
    for (uint32_t number = 0; status == DM_OK && number < concepts + episodes; number++) {
        status = add(workload, number, embedding(workload, work, number, scratch), error, error_size);
    }
    return status;
}

void dm_workload_destroy(dm_workload *workload) {
    dm_memory_free(&workload->memory, workload->sequence);
    dm_store_destroy(workload->store);
    workload->sequence = NULL;
    workload->store = NULL;
}

/* --- bindings --------------------------------------------------------------------------------------------------------- */

uint32_t dm_workload_fan(uint32_t concept_number, uint32_t fan, int varied) {
    return varied ? 1 + (uint32_t)(mix(concept_number + UINT64_C(1)) % fan) : fan;
}

uint32_t dm_workload_partner(const dm_workload *workload, uint32_t concept_number, uint32_t j) {
    /* Neighbours from a random start: distinct for j < episodes, and no episode stands out. */
    uint64_t first = mix(concept_number) % workload->episodes;
    return (uint32_t)((first + j) % workload->episodes);
}

int32_t dm_workload_bind(dm_workload *workload, uint32_t fan, int varied, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (uint32_t c = 0; status == DM_OK && c < workload->concepts; c++) {
        uint32_t bindings = dm_workload_fan(c, fan, varied);
        for (uint32_t j = 0; status == DM_OK && j < bindings; j++) {
            float strength = 0.25f + (float)dm_workload_random(workload, 512) / 1024.0f;
            status = dm_store_bind(workload->store, dm_workload_partner(workload, c, j), dm_concept_slot(c), strength, NULL,
                                   error, error_size);
        }
    }
    return status;
}

/* --- the sequence ------------------------------------------------------------------------------------------------------- */

int32_t dm_workload_sequence(dm_workload *workload, uint64_t count, char *error, size_t error_size) {
    uint64_t length = SEQUENCE_MIN;
    while (length < 2 * count && length < SEQUENCE_MAX) {
        length *= 2;
    }
    workload->length = length;
    workload->sequence =
        dm_memory_allocate(&workload->memory, length * sizeof(uint32_t), DM_CACHE_LINE, workload->placement);
    if (workload->sequence == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for an access sequence of %llu entries",
                       (unsigned long long)length);
    }
    for (uint64_t begin = 0; begin < length; begin += count) {
        uint32_t *round = workload->sequence + begin;
        uint64_t entries = length - begin < count ? length - begin : count;
        if (count > length) { /* one permutation would not fit: independent draws */
            for (uint64_t i = 0; i < entries; i++) {
                round[i] = (uint32_t)dm_workload_random(workload, count);
            }
            continue;
        }
        /* Fisher & Yates, inside out; the last round is a permutation of the first entries only. */
        for (uint64_t i = 0; i < entries; i++) {
            uint64_t other = dm_workload_random(workload, i + 1);
            round[i] = round[other];
            round[other] = (uint32_t)i;
        }
    }
    return DM_OK;
}

uint64_t dm_workload_repeats(const dm_workload *workload, uint64_t count) {
    /* Independent draws, half an entry each or less on average: more than 16 of one come once in 10^20. */
    return count > workload->length ? 16 : (workload->length + count - 1) / count;
}

/* --- metrics and state ---------------------------------------------------------------------------------------------------- */

const dm_metric dm_workload_metrics[DM_WORKLOAD_METRICS] = {
    {.size = sizeof(dm_metric), .name = "population", .unit = "count", .better = DM_BETTER_NEITHER,
     .scope = DM_SCOPE_CASE, .meaning = "nodes stored"},
    {.size = sizeof(dm_metric), .name = "memory_bytes", .unit = "B", .better = DM_BETTER_LOWER, .scope = DM_SCOPE_CASE,
     .meaning = "bytes of the store; the access sequence is not in it"},
    {.size = sizeof(dm_metric), .name = "bytes_per_operation", .unit = "B", .better = DM_BETTER_NEITHER,
     .scope = DM_SCOPE_CASE, .meaning = "bytes of the store that an operation reads or writes"},
    {.size = sizeof(dm_metric), .name = "working_set_bytes", .unit = "B", .better = DM_BETTER_NEITHER,
     .scope = DM_SCOPE_CASE, .meaning = "bytes gone through in a row, again and again; unknown where access is random"},
};

int32_t dm_workload_read_metrics(dm_workload *workload, double bytes_per_operation, double working_set_bytes, double *values,
                                 size_t count) {
    const double all[DM_WORKLOAD_METRICS] = {(double)dm_store_population(workload->store).nodes,
                                             (double)dm_store_memory(workload->store).total, bytes_per_operation,
                                             working_set_bytes};
    for (size_t i = 0; i < count && i < DM_WORKLOAD_METRICS; i++) {
        values[i] = all[i];
    }
    return DM_OK;
}

int32_t dm_workload_team(uint32_t threads, dm_team **team, char *error, size_t error_size) {
    cpu_set_t ours;
    cpu_set_t every;
    memset(&every, 0xff, sizeof(every)); /* the kernel takes those that the process may have */
    int freed = sched_getaffinity(0, sizeof(ours), &ours) == 0 && sched_setaffinity(0, sizeof(every), &every) == 0;
    int32_t status = dm_team_create(threads, team, error, error_size);
    if (freed) {
        (void)sched_setaffinity(0, sizeof(ours), &ours);
    }
    return status;
}

void *dm_workload_state(size_t size, char *error, size_t error_size) {
    dm_memory account = {0};
    void *state = dm_memory_allocate(&account, size, DM_CACHE_LINE, 0);
    if (state == NULL) {
        (void)dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for the kernel's state");
    }
    return state;
}

void dm_workload_free_state(void *state, size_t size) {
    dm_memory account = {0};
    atomic_store_explicit(&account.bytes, size, memory_order_relaxed);
    dm_memory_free(&account, state);
}

int32_t dm_workload_refuse_variant(char *error, size_t error_size) {
    return dm_fail(DM_ERROR_UNSUPPORTED, error, error_size,
                   "this machine cannot run that variant; choose one of those that `dualmem kernels` says run");
}

int32_t dm_workload_no_output(dm_state *state, double *values, size_t count, size_t *needed) {
    (void)state;
    (void)values;
    (void)count;
    *needed = 0;
    return DM_OK;
}
