/* perform.c: the timed loop.
 *
 * Open loop without coordinated omission: an operation's time comes from the trace alone. A thread that comes too late
 * begins at once, and what the operation waited for is part of its response (Tene 2013).
 *
 * Nothing in the loop locks, allocates or writes where another thread reads, but for the counter of operations and,
 * where times are asked for, the entries of neighbours. */
#include "crew_parts.h"

#include <errno.h>
#include <time.h>

/* A sleep ends late: without the spin, operations began 21 us late at the median and 33 us at P90 on the virtual
 * machine that this was written on, so the last stretch is spun. A longer spin would take from the store what it needs
 * as well: at 1,000 operations/s this one is at most a twentieth of a processor. */
enum { SPIN_NS = 50000 };

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns the time at which it returns: `time` or a little later. */
static uint64_t wait_until(uint64_t time) {
    uint64_t now = dmx_now();
    if (time > SPIN_NS && now < time - SPIN_NS) {
        const uint64_t until = time - SPIN_NS;
        const struct timespec wake = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {
        }
        now = dmx_now();
    }
    for (; now < time; now = dmx_now()) {
        relax();
    }
    return now;
}

uint64_t dmp_scheduled(const dmp_trace *trace, const dmp_play *play, uint64_t number) {
    return (uint64_t)((double)(trace->operations[number].at_ns - trace->operations[play->first].at_ns) / play->speed);
}

/* When operation `number` is due: its time or, in a closed loop, now. */
static uint64_t due_at(const dmp_crew *crew, uint64_t number) {
    return crew->play->open ? crew->start + dmp_scheduled(crew->trace, crew->play, number) : dmx_now();
}

static void count(dmp_member *self, uint64_t number, int32_t status, uint64_t result) {
    dmp_tally *tally = &self->tallies[dmp_kind(&self->crew->trace->operations[number])];
    tally->operations++;
    if (status == DM_OK) {
        tally->results += dmx_mix(dmx_mix(0, number), result);
    } else if (tally->errors++ == 0) {
        tally->first_error = number;
        tally->first_status = status;
    }
}

static void perform(dmp_member *self, uint64_t number) {
    const dmp_crew *crew = self->crew;
    const dmp_lane *lane = crew->lane;
    const dmp_operation *operation = &crew->trace->operations[number];
    const size_t kind = dmp_kind(operation);
    dmp_tally *tally = &self->tallies[kind];
    uint64_t result = 0;
    const uint64_t due = due_at(crew, number), begun = crew->play->open ? wait_until(due) : due;
    atomic_store_explicit(&self->since, begun, memory_order_relaxed);
    atomic_store_explicit(&self->under_way, number + 1, memory_order_relaxed);
    const int32_t status =
        lane->workload->operate(lane->state, self->number, lane->places[kind], dmp_key(operation), &result);
    const uint64_t ended = dmx_now();
    atomic_store_explicit(&self->under_way, 0, memory_order_relaxed);
    count(self, number, status, result);
    /* The latency of an error counts as well: a store must not look fast by failing. */
    dmx_histogram_add(&tally->service, ended - begun);
    if (crew->play->open) {
        dmx_histogram_add(&tally->response, ended - due);
    }
    /* This thread was free in time, so nothing but the player and the machine made the operation late. */
    if (crew->play->open && self->last_end <= due) {
        dmx_histogram_add(&self->lateness, begun - due);
    }
    if (crew->times != NULL) {
        crew->times[number - crew->play->first] = (dmp_times){begun - crew->start, ended - crew->start};
    }
    self->last_end = ended;
}

void dmp_perform(dmp_member *self) {
    dmp_crew *crew = self->crew;
    const uint64_t end = crew->play->first + crew->play->count;
    (void)wait_until(crew->start);
    for (;;) {
        const uint64_t number = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed);
        if (number >= end) {
            return;
        }
        perform(self, number);
    }
}
