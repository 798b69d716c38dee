/* used.h: a store in use whose costs are known, behind the workload table. Each subject is this header with one thing changed.
 *
 * An operation is a chain of dependent steps, as in spin.h; how many follows from its kind and the parameters. Its result follows
 * from kind and key only.
 *
 *   USED_UPDATE_PERCENT  more steps of every update (exact when `steps` is a multiple of 100)
 *   USED_EPISODES_LOST   how many episodes fewer than promised there are after set-up
 *   USED_UPDATE_ERROR    added to the result of every update
 *   USED_LEAKED          bytes that every insertion keeps, and does not tell of
 */
#include "dualmem/dm_workload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef USED_UPDATE_PERCENT
#define USED_UPDATE_PERCENT 0
#endif
#ifndef USED_EPISODES_LOST
#define USED_EPISODES_LOST 0
#endif
#ifndef USED_UPDATE_ERROR
#define USED_UPDATE_ERROR 0
#endif
#ifndef USED_LEAKED
#define USED_LEAKED 0
#endif

enum { USED_LOOKUP, USED_UPDATE, USED_INSERT, USED_OPERATIONS };
enum { USED_EPISODES, USED_CONCEPTS, USED_STEPS, USED_STALL_AT, USED_STALL_NS, USED_CRASH_AT, USED_PARAMETERS };

struct dm_state {
    double parameters[USED_PARAMETERS];
    _Atomic uint64_t calls, inserted, updated;
    _Atomic(void *) kept;
};

static int32_t used_setup(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size) {
    (void)threads;
    (void)error;
    (void)error_size;
    *state = calloc(1, sizeof **state);
    if (*state == NULL) {
        return DM_ERROR_MEMORY;
    }
    memcpy((*state)->parameters, work->parameters, sizeof (*state)->parameters);
    return DM_OK;
}

static void used_leak(dm_state *state) {
#if USED_LEAKED > 0
    void **block = malloc(USED_LEAKED);
    if (block != NULL) {
        memset(block, 1, USED_LEAKED);
        *block = atomic_exchange(&state->kept, (void *)block);
    }
#else
    (void)state;
#endif
}

static int32_t used_operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result) {
    (void)thread;
    const uint64_t call = atomic_fetch_add(&state->calls, 1) + 1;
    if ((double)call == state->parameters[USED_CRASH_AT]) {
        abort();
    }
    if ((double)call == state->parameters[USED_STALL_AT]) {
        const struct timespec stall = {.tv_sec = 0, .tv_nsec = (long)state->parameters[USED_STALL_NS]};
        (void)nanosleep(&stall, NULL);
    }
    uint64_t steps = (uint64_t)state->parameters[USED_STEPS];
    if (operation == USED_UPDATE) {
        steps += steps * USED_UPDATE_PERCENT / 100;
        atomic_fetch_add(&state->updated, 1);
    }
    uint64_t chain = key | 1;
    for (uint64_t step = 0; step < steps; step++) {
        chain = chain * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(chain));
    }
    if (operation == USED_INSERT) {
        atomic_fetch_add(&state->inserted, 1);
        used_leak(state);
    }
    *result = key * USED_OPERATIONS + operation + (operation == USED_UPDATE ? USED_UPDATE_ERROR : 0) + (chain == 0);
    return DM_OK;
}

static double used_episodes(const dm_state *state) {
    return state->parameters[USED_EPISODES] - USED_EPISODES_LOST + (double)state->inserted;
}

static int32_t used_read_metrics(dm_state *state, double *values, size_t count) {
    const double episodes = used_episodes(state), concepts = state->parameters[USED_CONCEPTS];
    const double all[] = {episodes + concepts, episodes, concepts, episodes, 0.7, 0.1, (double)sizeof *state, 0.9};
    for (size_t i = 0; i < count && i < sizeof all / sizeof *all; i++) {
        values[i] = all[i];
    }
    return DM_OK;
}

/* Every episode has one binding, the first concept all of them. */
static int32_t used_read_fans(dm_state *state, uint64_t *counts, size_t count, size_t *needed) {
    const uint64_t episodes = (uint64_t)used_episodes(state), concepts = (uint64_t)state->parameters[USED_CONCEPTS];
    *needed = (size_t)episodes + 1;
    memset(counts, 0, count * sizeof *counts);
    for (size_t i = 0; i < count && i <= episodes; i++) {
        counts[i] = i == 0 ? concepts - 1 : i == 1 ? episodes : 0;
    }
    if (episodes < count) {
        counts[episodes] += 1;
    }
    return DM_OK;
}

static void used_teardown(dm_state *state) {
    for (void *block = state != NULL ? state->kept : NULL; block != NULL;) {
        void *before = *(void **)block;
        free(block);
        block = before;
    }
    free(state);
}

#define USED_PARAMETER(given_name, value, least, most, text)                                                              \
    {.size = sizeof(dm_parameter), .name = given_name, .default_value = value, .minimum = least, .maximum = most, .integer = 1, \
     .meaning = text}
static const dm_parameter used_parameters[] = {
    USED_PARAMETER("episodes", 1000, 1, 60000, "episodes after set-up"),
    USED_PARAMETER("concepts", 100, 1, 1e6, "concepts after set-up"),
    USED_PARAMETER("steps", 10000, 1, 1e9, "dependent steps per operation"),
    USED_PARAMETER("stall_at", 0, 0, 1e12, "the call that stalls; 0: none"),
    USED_PARAMETER("stall", 5e7, 0, 9e8, "ns that it stalls"),
    USED_PARAMETER("crash_at", 0, 0, 1e12, "the call that crashes; 0: none"),
};

#define USED_METRIC(given_name, given_unit) \
    {.size = sizeof(dm_metric), .name = given_name, .unit = given_unit, .scope = DM_SCOPE_CASE, .meaning = given_name}
static const dm_metric used_metrics[] = {
    USED_METRIC("population", "count"),     USED_METRIC("episodes", "count"),         USED_METRIC("concepts", "count"),
    USED_METRIC("bindings", "count"),       USED_METRIC("similarity_within", "1"),    USED_METRIC("similarity_between", "1"),
    USED_METRIC("memory_bytes", "B"),       USED_METRIC("hit_rate", "1"),
};

#define USED_OPERATION(given_name, counted, added, text) \
    {.size = sizeof(dm_operation), .name = given_name, .meaning = text, .key = counted, .inserts = added}
static const dm_operation used_operations[] = {
    [USED_LOOKUP] = USED_OPERATION("lookup", DM_KEY_CONCEPT, DM_KEY_NONE, "looks for a concept"),
    [USED_UPDATE] = USED_OPERATION("update", DM_KEY_EPISODE, DM_KEY_NONE, "changes an episode"),
    [USED_INSERT] = USED_OPERATION("insert", DM_KEY_NONE, DM_KEY_EPISODE, "adds an episode"),
};

#define USED_WORKLOAD(given_variant)                                                                            \
    {.size = sizeof(dm_workload), .name = "used", .variant = given_variant, .summary = "a store whose costs are known", \
     .parameters = used_parameters, .parameter_count = USED_PARAMETERS, .metrics = used_metrics,                \
     .metric_count = sizeof used_metrics / sizeof *used_metrics, .operations = used_operations,                 \
     .operation_count = USED_OPERATIONS, .setup = used_setup, .operate = used_operate,                          \
     .read_metrics = used_read_metrics, .read_fans = used_read_fans, .teardown = used_teardown}
static const dm_workload used_dual = USED_WORKLOAD("dual");
static const dm_workload used_single = USED_WORKLOAD("single");
static const dm_workload *const used_workloads[] = {&used_dual, &used_single};

const dm_workload_library *dm_workload_library_get(void) {
    static const dm_workload_library library = {.size = sizeof(dm_workload_library),
                                                .abi_major = DM_WORKLOAD_ABI_MAJOR,
                                                .abi_minor = DM_WORKLOAD_ABI_MINOR,
                                                .name = "used",
                                                .version = "1",
                                                .revision = "",
                                                .workloads = used_workloads,
                                                .workload_count = sizeof used_workloads / sizeof *used_workloads};
    return &library;
}
