/* selftest.h: what the five kernels of `dualmem selftest` share.
 *
 * Every size of the library (0, 2 ... 10 % more work) is linked from the same objects but one, extra.c, which holds the
 * percentage as a constant. The timed code is the same, byte for byte: what differs is the number of inner steps alone.
 *
 * An operation is `rate` / 100 steps, and rate = steps x (100 + percent) is whole, so the share is exact for any number of
 * operations once the remainder is carried from call to call. The extra steps continue where the others ended (further
 * along the buffer, the chase, the chain): they are as cold and as dependent as those. Checksums follow from seed and
 * position only; the work enters them through a mask that is 0 when it runs. */
#ifndef DUALMEM_SELFTEST_H
#define DUALMEM_SELFTEST_H

#include "dualmem/dm_kernel.h"

#include <stdbool.h>

extern const uint64_t selftest_extra_percent; /* extra.c: an object of its own, so no kernel can fold it */

struct dm_state {
    uint64_t seed;
    uint64_t position;  /* operations done */
    uint64_t rate;      /* hundredths of a step per operation */
    uint64_t remainder; /* hundredths of a step still owed, < 100 */
    uint64_t steps;     /* done */
    uint64_t mask;      /* 0, but the compiler does not know */
    uint64_t chain;     /* the work's own value, carried on */
    uint64_t cursor;    /* where in the buffer the work goes on */
    uint64_t *words;    /* the buffer */
    uint64_t lines;     /* of 64 bytes */
    void *allocation;   /* that `words` lies in */
};

enum { SELFTEST_LINE_WORDS = 8 };

/* How many steps the next `iterations` operations are. */
static inline uint64_t selftest_steps(dm_state *state, uint64_t iterations) {
    const uint64_t owed = iterations * state->rate + state->remainder;
    state->remainder = owed % 100;
    return owed / 100;
}

static inline uint64_t selftest_mix(uint64_t value) {
    value *= 0x9e3779b97f4a7c15u;
    return value ^ (value >> 32);
}

/* The lines of a buffer that is read round and round. It grows by the share, like the work: a buffer of one size would come
 * round sooner where more of it is read per operation, its lines would be warmer (L3 forgets by traffic), and a planted 10 %
 * was measured as 4.5 %. So every line comes back after the same number of operations in every size. */
static inline uint64_t selftest_lines(uint64_t mebibytes) {
    return mebibytes * (1024 * 1024 / 64) * (100 + selftest_extra_percent) / 100;
}

/* Closes a call of run: counts what was done and makes the checksum. The two positions stand for all between them. */
static inline uint64_t selftest_close(dm_state *state, uint64_t iterations, uint64_t steps, uint64_t chain) {
    const uint64_t begin = state->position;
    state->position += iterations;
    state->steps += steps;
    state->chain = chain;
    return selftest_mix(state->seed + begin) + selftest_mix(~(state->seed + state->position)) + (chain & state->mask);
}

/* state.c. A state whose buffer has `lines` lines. `fill` writes each word of it: a page that was only read would be the kernel's
 * one page of zeros, always warm. Who writes every page anyway leaves it out, set-up is short. steps: per operation, without the extra share. */
int32_t selftest_open(const dm_case *work, uint64_t steps, uint64_t lines, bool fill, dm_state **state,
                      char *error, size_t error_size);
int32_t selftest_read_metrics(dm_state *state, double *values, size_t count);
int32_t selftest_read_output(dm_state *state, double *values, size_t count, size_t *needed);
void selftest_teardown(dm_state *state);
extern const dm_metric selftest_metrics[1];

extern const dm_kernel selftest_compute, selftest_memory, selftest_latency, selftest_nanosecond, selftest_millisecond;

#define SELFTEST_PARAMETER(its_name, its_default, its_minimum, its_maximum, its_meaning)                             \
    {.size = sizeof(dm_parameter), .name = its_name, .default_value = its_default, .minimum = its_minimum,            \
     .maximum = its_maximum, .integer = 1, .meaning = its_meaning}

#define SELFTEST_KERNEL(its_name, its_summary, its_parameters, its_setup, its_run)                                    \
    {.size = sizeof(dm_kernel), .name = its_name, .variant = "plain", .summary = its_summary, .tolerance = 0,         \
     .output = DM_OUTPUT_NONE, .parameters = its_parameters,                                                          \
     .parameter_count = sizeof its_parameters / sizeof *its_parameters, .metrics = selftest_metrics,                  \
     .metric_count = 1, .setup = its_setup, .run = its_run, .read_metrics = selftest_read_metrics,                    \
     .read_output = selftest_read_output, .teardown = selftest_teardown}

#endif
