/* perf_counters.h: what one thread cost: cycles, instructions, misses, page faults, switches.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counters of the calling thread between start and stop, in user mode for the hardware's own. A counter that this machine or its
 * settings withhold is not known and says why; it is never a zero. Link with libdualmem.
 *
 * Source: perf_event_open(2), getrusage(2).
 * Threads: one dm_perf_counters belongs to the thread that created it; the others must not call it. */
#ifndef DUALMEM_PERF_COUNTERS_H
#define DUALMEM_PERF_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi:begin (as in dualmem.h) */

enum {
    DM_PERF_CYCLES = 0,
    DM_PERF_INSTRUCTIONS = 1,
    DM_PERF_CACHE_REFERENCES = 2, /* of the last level, as the processor defines it */
    DM_PERF_CACHE_MISSES = 3,
    DM_PERF_BRANCH_MISSES = 4,
    DM_PERF_TASK_CLOCK = 5, /* nanoseconds on a processor, user and kernel */
    DM_PERF_PAGE_FAULTS = 6, /* with and without a read from disk */
    DM_PERF_CONTEXT_SWITCHES = 7, /* voluntary and not */
    DM_PERF_COUNT = 8
};

typedef struct dm_perf_counters dm_perf_counters;

/* One counter's reading. */
typedef struct dm_perf_reading {
    int32_t known;  /* 0: see dm_perf_reason */
    double value;   /* NaN when not known. Scaled up where the counter ran only part of the time (multiplexing) */
    double running; /* share of the time in which it ran, 1 unless several users share the hardware */
} dm_perf_reading;

/* Opens what can be opened. A machine without any hardware counter is no error. DM_ERROR_MEMORY. */
DM_API int32_t dm_perf_create(dm_perf_counters **counters, char *error, size_t error_size);
/* Accepts NULL. */
DM_API void dm_perf_destroy(dm_perf_counters *counters);

/* "cycles", "cache_misses" ...; NULL for a number that is no counter. Constant text. */
DM_API const char *dm_perf_name(int32_t counter);
/* Why a counter cannot be known here, or "" for one that can (or that has not been read yet). Lives as long as the counters. */
DM_API const char *dm_perf_reason(const dm_perf_counters *counters, int32_t counter);

/* Counts from zero. A start without a stop before starts anew. */
DM_API void dm_perf_start(dm_perf_counters *counters);
DM_API void dm_perf_stop(dm_perf_counters *counters);
/* What was counted between the last start and the stop after it; nothing is known before both. */
DM_API void dm_perf_read(dm_perf_counters *counters, dm_perf_reading readings[DM_PERF_COUNT]);

/* cffi:end */

#ifdef __cplusplus
}
#endif

#endif
