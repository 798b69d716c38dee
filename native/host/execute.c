/* execute.c: the timed loop. Solo, A against B, any number of arms, warm-up and calibration are one primitive over
 * different arrays of arm indices; deciding the array is Python's business. */
#include "host.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LEAD_SHARE = 8 };

volatile sig_atomic_t dmx_current_arm = -1;

static uint64_t involuntary_switches(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nivcsw;
}

/* All that is timed. A function of its own, never inlined and never a tail call, so that `callgrind
 * --toggle-collect=dmx_timed_run` counts exactly the scheduled samples. */
uint64_t dmx_timed_run(const dmx_lane *lane);
__attribute__((noinline)) uint64_t dmx_timed_run(const dmx_lane *lane) {
    uint64_t checksum = lane->run(lane->state, lane->iterations);
    __asm__ volatile("" : "+r"(checksum));
    return checksum;
}

void dmx_execute(dmx_lane *lanes, const uint8_t *schedule, size_t count, dmx_sample *samples) {
    uint64_t before = involuntary_switches();
    for (size_t i = 0; i < count; i++) {
        dmx_lane *lane = &lanes[schedule[i]];
        dmx_current_arm = schedule[i];
        if (lane->lead > 0) {
            (void)lane->run(lane->state, lane->lead);
        }
        /* Order: what costs a system call lies outside of the pair of wall readings. */
        uint64_t cpu = dmx_thread_cpu();
        uint64_t wall = dmx_now();
        uint64_t checksum = dmx_timed_run(lane);
        wall = dmx_now() - wall;
        cpu = dmx_thread_cpu() - cpu;
        uint64_t after = involuntary_switches();
        samples[i] = (dmx_sample){wall, cpu, after - before};
        before = after;
        lane->checksum = dmx_mix(lane->checksum, checksum);
    }
    dmx_current_arm = -1;
}

uint64_t dmx_lead(uint64_t iterations) {
    return iterations / LEAD_SHARE;
}

uint64_t dmx_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u; /* odd, so nothing is lost; the shift carries high bits down */
    return hash ^ (hash >> 29);
}

uint64_t dmx_scale(uint64_t iterations, double work) {
    /* 1.08 has no exact binary form: without the slack 100 operations would become 109. */
    double exact = (double)iterations * work;
    double scaled = ceil(exact - 1e-9 * exact);
    return scaled < 1.0 ? 1 : (uint64_t)scaled;
}

static uint64_t time_round(dmx_lane *lanes, size_t lane_count) {
    static const uint8_t in_turn[DMX_ARMS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    dmx_sample samples[DMX_ARMS];
    dmx_execute(lanes, in_turn, lane_count, samples);
    return samples[0].wall_ns;
}

int32_t dmx_calibrate(dmx_lane *lanes, size_t lane_count, uint64_t target_ns, uint64_t *iterations, char *error,
                      size_t error_size) {
    const uint64_t most = (uint64_t)1 << 40;  /* a nanosecond each would be 18 minutes */
    const uint64_t slow_enough_ns = 50000000; /* an interruption is small beside it: no second look needed */
    uint64_t count = 1, wall = 0;
    for (;;) {
        for (size_t i = 0; i < lane_count; i++) {
            lanes[i].iterations = count;
        }
        wall = time_round(lanes, lane_count);
        if (wall < slow_enough_ns) {
            uint64_t again = time_round(lanes, lane_count);
            wall = again < wall ? again : wall;
        }
        if (wall >= target_ns / 2) {
            break;
        }
        if (count >= most) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "%llu operations took %llu ns: run does no work that can be timed",
                              (unsigned long long)count, (unsigned long long)wall);
        }
        /* At least doubled, so that it ends; at most 16-fold, because the first, short times are mostly noise. */
        double factor = wall == 0 ? 16.0 : (double)target_ns / (double)wall;
        factor = factor < 2.0 ? 2.0 : factor > 16.0 ? 16.0 : factor;
        count = (uint64_t)((double)count * factor);
    }
    double wanted = wall == 0 ? 1.0 : (double)count * (double)target_ns / (double)wall;
    *iterations = wanted < 1.5 ? 1 : (uint64_t)(wanted + 0.5);
    return DM_OK;
}

enum { WINDOW_ROUNDS = 64, WARM_UP_MORE_NS = 24000000 };

static int compare_times(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Whole rounds, so that the arms stay at the same operation, for `duration_ns`; the medians of the last rounds' times by arm. */
static void run_window(dmx_lane *lanes, const uint8_t *order, size_t lane_count, uint64_t duration_ns, uint64_t *medians) {
    uint64_t times[DMX_ARMS][WINDOW_ROUNDS];
    size_t rounds = 0;
    const uint64_t begin = dmx_now();
    do {
        dmx_sample samples[DMX_ARMS];
        dmx_execute(lanes, order, lane_count, samples);
        for (size_t i = 0; i < lane_count; i++) {
            times[order[i]][rounds % WINDOW_ROUNDS] = samples[i].wall_ns;
        }
        rounds++;
    } while (dmx_now() - begin < duration_ns);
    const size_t kept = rounds < WINDOW_ROUNDS ? rounds : WINDOW_ROUNDS;
    for (size_t i = 0; i < lane_count; i++) {
        qsort(times[i], kept, sizeof times[i][0], compare_times);
        medians[i] = times[i][kept / 2];
    }
}

static int stand_still(const uint64_t *before, const uint64_t *after, size_t lane_count) {
    const double most = 0.02;
    for (size_t i = 0; i < lane_count; i++) {
        if (fabs((double)after[i] - (double)before[i]) > most * (double)before[i]) {
            return 0;
        }
    }
    return 1;
}

void dmx_warm_up(dmx_lane *lanes, const uint8_t *order, size_t lane_count, uint64_t duration_ns) {
    if (duration_ns == 0) {
        return;
    }
    const uint64_t half = duration_ns / 2, begin = dmx_now();
    uint64_t before[DMX_ARMS], after[DMX_ARMS];
    run_window(lanes, order, lane_count, half, before);
    do {
        run_window(lanes, order, lane_count, half, after);
        if (stand_still(before, after, lane_count)) {
            return;
        }
        memcpy(before, after, sizeof before);
    } while (dmx_now() - begin < duration_ns + WARM_UP_MORE_NS);
}

static double difference(double a, double b) {
    if (a == b || (isnan(a) && isnan(b))) {
        return 0.0;
    }
    double relative = fabs(a - b) / fmax(1.0, fmax(fabs(a), fabs(b)));
    return isfinite(relative) ? relative : DBL_MAX;
}

double dmx_difference(const double *a, const double *b, size_t count) {
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, difference(a[i], b[i]));
    }
    return largest;
}
