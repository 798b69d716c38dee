/* A store that does what its operations are called, so that what the player tells of it is known beforehand. */
#include "dualmem/dm_workload.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 256 };
enum { POPULATION, PAUSE_NS, STALL_EVERY, STALL_NS };

struct dm_state {
    double parameters[4];
    uint32_t threads;
    _Atomic uint64_t calls, overlaps, disorder, at_once, most_at_once, expected;
    _Atomic int inside[THREADS_MAX];
};

static uint64_t now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void sleep_for(double nanoseconds) {
    const uint64_t whole = (uint64_t)nanoseconds;
    const struct timespec time = {.tv_sec = (time_t)(whole / 1000000000u), .tv_nsec = (long)(whole % 1000000000u)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static int32_t setup(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size) {
    if (work->seed == 13) {
        (void)snprintf(error, error_size, "the seed 13 brings bad luck; take another");
        return DM_ERROR_ARGUMENT;
    }
    if (work->seed == 14) {
        *(volatile int *)(uintptr_t)work->placement = 1; /* an address that is nobody's */
    }
    *state = calloc(1, sizeof **state);
    if (*state == NULL) {
        return DM_ERROR_MEMORY;
    }
    memcpy((*state)->parameters, work->parameters, sizeof(*state)->parameters);
    (*state)->threads = threads;
    return DM_OK;
}

enum { ECHO, NOTHING, SPIN, SLEEP, STALL, FAIL, ORDERED, CRASH, HANG, EXIT, OVERFLOW };

static uint64_t overflow(volatile uint64_t *before) {
    volatile uint64_t here[512] = {*before};
    return *before == UINT64_MAX ? 0 : overflow(here) + here[0];
}

static int32_t perform(dm_state *state, uint32_t operation, uint64_t key, uint64_t call, uint64_t *result) {
    switch (operation) {
    case ECHO:
        *result = key;
        return DM_OK;
    case SPIN:
        for (const uint64_t begin = now(); (double)(now() - begin) < state->parameters[PAUSE_NS];) {
        }
        return DM_OK;
    case SLEEP:
        sleep_for(state->parameters[PAUSE_NS]);
        return DM_OK;
    case STALL:
        if (call % (uint64_t)state->parameters[STALL_EVERY] == (uint64_t)state->parameters[STALL_EVERY] - 1) {
            sleep_for(state->parameters[STALL_NS]);
        }
        return DM_OK;
    case FAIL:
        *result = key;
        return key % 10 == 9 ? DM_ERROR_CORRUPT : DM_OK;
    case ORDERED:
        atomic_fetch_add(&state->disorder, atomic_exchange(&state->expected, key + 1) != key);
        return DM_OK;
    case CRASH:
        *(volatile int *)(uintptr_t)(key % 2) = 1; /* an address that is nobody's */
        return DM_OK;
    case HANG:
        for (;;) {
            sleep_for(1e9);
        }
    case EXIT:
        exit(0);
    case OVERFLOW:
        *result = overflow(&key);
        return DM_OK;
    default:
        return DM_OK;
    }
}

/* Sees to it that a thread's number is one thread's only, whatever else the operation does. */
static int32_t operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result) {
    if (operation == NOTHING) {
        *result = key; /* what the player itself costs */
        return DM_OK;
    }
    const bool wrong = thread >= state->threads || atomic_exchange(&state->inside[thread], 1) != 0;
    atomic_fetch_add(&state->overlaps, wrong ? 1 : 0);
    const uint64_t at_once = atomic_fetch_add(&state->at_once, 1) + 1;
    for (uint64_t most = atomic_load(&state->most_at_once); at_once > most;) {
        if (atomic_compare_exchange_weak(&state->most_at_once, &most, at_once)) {
            break;
        }
    }
    const int32_t status = perform(state, operation, key, atomic_fetch_add(&state->calls, 1), result);
    atomic_fetch_sub(&state->at_once, 1);
    if (thread < THREADS_MAX) {
        atomic_store(&state->inside[thread], 0);
    }
    return status;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    const double all[] = {state->parameters[POPULATION], (double)state->calls,        (double)state->overlaps,
                          (double)state->disorder,       (double)state->most_at_once, (double)state->threads};
    for (size_t i = 0; i < count && i < sizeof all / sizeof *all; i++) {
        values[i] = all[i];
    }
    return DM_OK; /* the last one stays unknown */
}

static int32_t read_fans(dm_state *state, uint64_t *counts, size_t count, size_t *needed) {
    static const uint64_t fans[] = {5, 3, 2};
    (void)state;
    *needed = sizeof fans / sizeof *fans;
    for (size_t i = 0; i < count && i < *needed; i++) {
        counts[i] = fans[i];
    }
    return DM_OK;
}

static void teardown(dm_state *state) {
    free(state);
}

static int32_t unsupported(char *reason, size_t reason_size) {
    (void)snprintf(reason, reason_size, "needs a store of 4096 terabytes");
    return DM_ERROR_UNSUPPORTED;
}

#define PARAMETER(given_name, value, least, most, whole, text)                                                         \
    {.size = sizeof(dm_parameter),                                                                                     \
     .name = given_name,                                                                                               \
     .default_value = value,                                                                                           \
     .minimum = least,                                                                                                 \
     .maximum = most,                                                                                                  \
     .integer = whole,                                                                                                 \
     .meaning = text}
static const dm_parameter parameters[] = {
    PARAMETER("population", 10, 0, 1e6, 1, "nodes"),
    PARAMETER("pause", 1e6, 0, 1e10, 1, "ns that spin and sleep take"),
    PARAMETER("stall_every", 1000, 1, 1e9, 1, "calls from one stall to the next"),
    PARAMETER("stall", 5e7, 0, 1e10, 1, "ns that a stall takes"),
};

#define METRIC(given_name) {.size = sizeof(dm_metric), .name = given_name, .unit = "count", .meaning = given_name}
static const dm_metric metrics[] = {METRIC("population"),   METRIC("calls"),   METRIC("overlaps"), METRIC("disorder"),
                                    METRIC("most_at_once"), METRIC("threads"), METRIC("unknown")};

#define OPERATION(given_name, counted, added, text)                                                                    \
    {.size = sizeof(dm_operation), .name = given_name, .meaning = text, .key = counted, .inserts = added}
static const dm_operation operations[] = {
    [ECHO] = OPERATION("echo", DM_KEY_QUERY, DM_KEY_NONE, "returns its key"),
    [NOTHING] = OPERATION("nothing", DM_KEY_NONE, DM_KEY_NONE, "returns its key and counts nothing"),
    [SPIN] = OPERATION("spin", DM_KEY_NONE, DM_KEY_NONE, "is busy for `pause`"),
    [SLEEP] = OPERATION("sleep", DM_KEY_NONE, DM_KEY_NONE, "sleeps for `pause`"),
    [STALL] = OPERATION("stall", DM_KEY_EPISODE, DM_KEY_NONE, "sleeps for `stall` in every `stall_every`th call"),
    [FAIL] = OPERATION("fail", DM_KEY_CONCEPT, DM_KEY_NONE, "fails where its key ends with a 9"),
    [ORDERED] = OPERATION("ordered", DM_KEY_DATA, DM_KEY_EPISODE, "counts keys that do not follow the one before"),
    [CRASH] = OPERATION("crash", DM_KEY_NONE, DM_KEY_NONE, "writes where nothing is"),
    [HANG] = OPERATION("hang", DM_KEY_NONE, DM_KEY_NONE, "never returns"),
    [EXIT] = OPERATION("exit", DM_KEY_NONE, DM_KEY_NONE, "ends the process"),
    [OVERFLOW] = OPERATION("overflow", DM_KEY_NONE, DM_KEY_NONE, "calls itself until the stack ends"),
};

#define WORKLOAD(given_variant)                                                                                        \
    .size = sizeof(dm_workload), .name = "known", .variant = given_variant,                                            \
    .summary = "does what its operations are called", .parameters = parameters,                                        \
    .parameter_count = sizeof parameters / sizeof *parameters, .operations = operations,                               \
    .operation_count = sizeof operations / sizeof *operations, .setup = setup, .operate = operate,                     \
    .teardown = teardown
static const dm_workload whole = {WORKLOAD("whole"), .metrics = metrics,
                                  .metric_count = sizeof metrics / sizeof *metrics, .read_metrics = read_metrics,
                                  .read_fans = read_fans};
static const dm_workload bare = {WORKLOAD("bare")};
static const dm_workload absent = {WORKLOAD("absent"), .supported = unsupported};
static const dm_workload needy = {WORKLOAD("needy"), .needs_data = 1};
static const dm_workload *const workloads[] = {&whole, &bare, &absent, &needy};

const dm_workload_library *dm_workload_library_get(void) {
    static const dm_workload_library library = {.size = sizeof(dm_workload_library),
                                                .abi_major = DM_WORKLOAD_ABI_MAJOR,
                                                .abi_minor = DM_WORKLOAD_ABI_MINOR,
                                                .name = "workloads",
                                                .version = "1",
                                                .revision = "",
                                                .workloads = workloads,
                                                .workload_count = sizeof workloads / sizeof *workloads};
    return &library;
}
