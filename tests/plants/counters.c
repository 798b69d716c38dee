/* counters.c: threads that count, each in a counter of its own; planted is that all counters lie in one cache line. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "plant.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST = 8, STEPS = 2000, SPREAD = PLANTED ? 1 : 32 /* words from one counter to the next */ };

struct dm_state {
    _Alignas(256) _Atomic uint64_t counters[MOST * 32];
    pthread_t threads[MOST];
    pthread_barrier_t begin, end;
    uint64_t iterations;
    uint32_t count;
    int stop;
    int caller; /* its processor */
};

static __attribute__((noinline)) void count(dm_state *state, uint32_t number) {
    _Atomic uint64_t *counter = &state->counters[number * SPREAD];
    for (uint64_t i = 0; i < state->iterations * STEPS; i++) {
        (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    }
}

/* Each thread on a processor of its own, beside the caller's: on one processor they would take turns, and a cache line
 * with them. Where there are too few, the system decides. */
static void run_apart(int caller, uint32_t number) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)(caller + (int)number) % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

struct member {
    dm_state *state;
    uint32_t number;
};

static void *thread(void *argument) {
    struct member self = *(struct member *)argument;
    free(argument);
    run_apart(self.state->caller, self.number);
    for (;;) {
        (void)pthread_barrier_wait(&self.state->begin);
        if (self.state->stop) {
            return NULL;
        }
        count(self.state, self.number);
        (void)pthread_barrier_wait(&self.state->end);
    }
}

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    (void)error, (void)error_size;
    dm_state *made = aligned_alloc(256, sizeof *made);
    if (made == NULL) {
        return DM_ERROR_MEMORY;
    }
    memset(made, 0, sizeof *made);
    made->caller = sched_getcpu();
    made->count = (uint32_t)work->parameters[0];
    (void)pthread_barrier_init(&made->begin, NULL, made->count);
    (void)pthread_barrier_init(&made->end, NULL, made->count);
    for (uint32_t i = 1; i < made->count; i++) {
        struct member *member = malloc(sizeof *member);
        if (member == NULL) {
            abort();
        }
        *member = (struct member){made, i};
        (void)pthread_create(&made->threads[i], NULL, thread, member);
    }
    *state = made;
    return DM_OK;
}

static uint64_t run(dm_state *state, uint64_t iterations) {
    state->iterations = iterations;
    (void)pthread_barrier_wait(&state->begin);
    count(state, 0);
    (void)pthread_barrier_wait(&state->end);
    return state->counters[0];
}

static void teardown(dm_state *state) {
    state->stop = 1;
    (void)pthread_barrier_wait(&state->begin);
    for (uint32_t i = 1; i < state->count; i++) {
        (void)pthread_join(state->threads[i], NULL);
    }
    (void)pthread_barrier_destroy(&state->begin);
    (void)pthread_barrier_destroy(&state->end);
    free(state);
}

static const dm_parameter parameters[] = {{.size = sizeof(dm_parameter),
                                           .name = "threads",
                                           .default_value = 2,
                                           .minimum = 1,
                                           .maximum = MOST,
                                           .integer = 1,
                                           .meaning = "threads that count"}};

PLANT_LIBRARY("counters", parameters, 1)
