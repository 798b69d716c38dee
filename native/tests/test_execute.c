/* test_execute.c: the timed loop, calibration and latencies, with kernels whose every call is known. Nothing here depends on
 * how long anything takes. */
#include "host/host.h"
#include "tests/support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char error[DMX_ERROR_SIZE];

/* A state that remembers what was asked of it. */
struct dm_state {
    uint64_t id;
    uint64_t operations;
    uint64_t calls;
};

enum { CALLS = 64 };
static uint64_t call_log[CALLS];
static size_t call_count;

static uint64_t logged_run(dm_state *state, uint64_t iterations) {
    if (call_count < CALLS) {
        call_log[call_count] = state->id * 1000 + iterations;
    }
    call_count++;
    state->calls++;
    state->operations += iterations;
    return state->operations;
}

static void test_schedule(void) {
    dm_state states[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    dmx_lane lanes[3];
    for (size_t i = 0; i < 3; i++) {
        lanes[i] = (dmx_lane){.run = logged_run, .state = &states[i], .iterations = 10 + i};
    }
    static const uint8_t schedule[] = {0, 1, 1, 0, 2};
    dmx_sample samples[6];
    memset(samples, 0xff, sizeof samples);
    call_count = 0;
    dmx_execute(lanes, schedule, 5, samples);
    static const uint64_t expected[] = {1010, 2011, 2011, 1010, 3012};
    CHECK_EQUAL(call_count, 5);
    CHECK(memcmp(call_log, expected, sizeof expected) == 0);
    for (size_t i = 0; i < 5; i++) {
        CHECK(samples[i].wall_ns < 60000000000u && samples[i].cpu_ns < 60000000000u && samples[i].switches < 1000000);
    }
    CHECK_EQUAL(samples[5].wall_ns, UINT64_MAX); /* no sample beyond the schedule */
    CHECK_EQUAL(lanes[0].checksum, dmx_mix(dmx_mix(0, 10), 20));
    CHECK_EQUAL(lanes[2].checksum, dmx_mix(0, 12));
    CHECK(dmx_current_arm == -1);
}

static void test_mix(void) {
    CHECK(dmx_mix(dmx_mix(0, 1), 2) != dmx_mix(dmx_mix(0, 2), 1)); /* the order of samples counts */
    CHECK(dmx_mix(dmx_mix(0, 5), 5) != dmx_mix(0, 5));
    CHECK(dmx_mix(dmx_mix(0, 5), 5) != 0);
}

static void test_scale(void) {
    CHECK_EQUAL(dmx_scale(100, 1.08), 108); /* 108.00000000000001 in floating point */
    CHECK_EQUAL(dmx_scale(162, 1.08), 175); /* 174.96 rounded up */
    CHECK_EQUAL(dmx_scale(1, 1.08), 2);
    CHECK_EQUAL(dmx_scale(1, 0.001), 1);
    for (uint64_t count = 1; count < 100000; count++) {
        CHECK_EQUAL(dmx_scale(count, 1.0), count);
        CHECK_EQUAL(dmx_scale(count, 1.08), (count * 108 + 99) / 100); /* whole-number arithmetic as the oracle */
        CHECK_EQUAL(dmx_scale(count, 1.1), (count * 11 + 9) / 10);
    }
}

static void test_difference(void) {
    const double nan = (double)NAN, infinity = (double)INFINITY;
    static const double base[] = {1.0, -2000.0, 0.0, 1e-9};
    double other[4];
    memcpy(other, base, sizeof base);
    CHECK_NEAR(dmx_difference(base, other, 4), 0.0, 0.0);
    other[1] = -2002.0;
    CHECK_NEAR(dmx_difference(base, other, 4), 2.0 / 2002.0, 1e-15); /* relative to the larger one */
    other[1] = -2000.0;
    other[3] = 3e-9;
    CHECK_NEAR(dmx_difference(base, other, 4), 2e-9, 1e-24); /* absolute below 1 */
    other[0] = -1.0;
    CHECK_NEAR(dmx_difference(base, other, 4), 2.0, 0.0);
    CHECK_NEAR(dmx_difference(base, other, 0), 0.0, 0.0);
    CHECK(dmx_difference(&nan, &nan, 1) == 0.0);
    CHECK(dmx_difference(&nan, base, 1) == DBL_MAX);
    CHECK(dmx_difference(base, &nan, 1) == DBL_MAX);
    CHECK(dmx_difference(&infinity, &infinity, 1) == 0.0);
    CHECK(dmx_difference(&infinity, base, 1) == DBL_MAX);
    const double low = -DBL_MAX, high = DBL_MAX;
    CHECK(dmx_difference(&low, &high, 1) == DBL_MAX);
}

/* ---- calibration: equal treatment, whatever the clock says ---- */

static uint64_t working_run(dm_state *state, uint64_t iterations) {
    uint64_t value = state->operations;
    for (uint64_t i = 0; i < iterations * 100; i++) {
        value = value * 6364136223846793005u + 1;
        __asm__ volatile("" : "+r"(value));
    }
    (void)logged_run(state, iterations);
    return value;
}

static void test_calibrate(void) {
    dm_state states[2] = {{.id = 1}, {.id = 2}};
    dmx_lane lanes[2] = {{.run = working_run, .state = &states[0]}, {.run = working_run, .state = &states[1]}};
    uint64_t iterations = 0;
    call_count = 0;
    CHECK_STATUS(dmx_calibrate(lanes, 2, 200000, &iterations, error, sizeof error), DM_OK, error);
    CHECK(iterations >= 1 && iterations < 100000);
    CHECK_EQUAL(states[0].operations, states[1].operations);
    CHECK(call_log[0] == 1001 && call_log[1] == 2001); /* begins with one operation each, in turn */
    static const uint8_t turn[] = {1, 0};
    dmx_warm_up(lanes, turn, 2, 1000000);
    CHECK_EQUAL(states[0].operations, states[1].operations);
    uint64_t calls = states[0].calls;
    dmx_warm_up(lanes, turn, 2, 0);
    CHECK_EQUAL(states[0].calls, calls);
}

static void test_lead_in(void) {
    dm_state states[2] = {{.id = 1}, {.id = 2}};
    dmx_lane plain = {.run = working_run, .state = &states[0], .iterations = 100};
    dmx_lane led = {.run = working_run, .state = &states[1], .iterations = 100, .lead = 12};
    static const uint8_t schedule[] = {0, 0, 0};
    dmx_sample samples[3];
    dmx_execute(&plain, schedule, 3, samples);
    CHECK_EQUAL(states[0].operations, 300);
    dmx_execute(&led, schedule, 3, samples);
    CHECK_EQUAL(states[1].operations, 336); /* the lead-in moves the state on, before each sample */
    CHECK_EQUAL(dmx_lead(800), 100);
    CHECK_EQUAL(dmx_lead(7), 0); /* an operation as long as a sample is not doubled */
}

/* Takes 0.2 us longer with each call, from 1 to 41 us: it stands still only then. */
static uint64_t settling_run(dm_state *state, uint64_t iterations) {
    const uint64_t wanted = state->calls < 200 ? 1000 + state->calls * 200 : 41000;
    const uint64_t begin = dmx_now();
    while (dmx_now() - begin < wanted) {
    }
    return logged_run(state, iterations);
}

static void test_warm_up_goes_on_until_times_stand_still(void) {
    dm_state state = {.id = 1};
    dmx_lane lane = {.run = settling_run, .state = &state, .iterations = 1};
    static const uint8_t turn[] = {0};
    /* 1 ms is over after 96 calls, each still longer than the one before; 150 take 2.4 ms. The warm-up has its bound in time, which
     * others on the processor may use up: one try of many must show it. */
    for (int tries = 0; tries < 200 && state.calls <= 150; tries++) {
        state.calls = 0;
        call_count = 0;
        dmx_warm_up(&lane, turn, 1, 1000000);
    }
    CHECK(state.calls > 150);
    call_count = 0;
    uint64_t begin = dmx_now();
    state.calls = 200;
    dmx_warm_up(&lane, turn, 1, 6000000);
    CHECK(dmx_now() - begin >= 6000000); /* what stands still from the start is warmed up for the time that was asked for */
}

static void test_calibrate_nothing(void) {
    dm_state state = {.id = 1};
    dmx_lane lane = {.run = logged_run, .state = &state};
    uint64_t iterations = 0;
    CHECK_STATUS(dmx_calibrate(&lane, 1, 1000000000, &iterations, error, sizeof error), DMX_REFUSED, error);
    CHECK(strstr(error, "run does no work") != NULL);
}

static void test_calibrate_slow(void) {
    dm_state state = {.id = 1};
    dmx_lane lane = {.run = working_run, .state = &state};
    uint64_t iterations = 0;
    CHECK_STATUS(dmx_calibrate(&lane, 1, 1, &iterations, error, sizeof error), DM_OK,
                 error); /* nothing is that short */
    CHECK_EQUAL(iterations, 1);
    CHECK_EQUAL(state.operations, 2); /* and no more was run than that takes to see */
}

/* ---- latencies ---- */

static uint64_t item_shift, records_per_operation = 1;

/* Item i mod 5000, shifted; in pass p it takes 1000 + i + |p - 1|: the middle of three passes is the fastest. */
static uint64_t known_run_each(dm_state *state, uint64_t iterations, dm_recorder *recorder) {
    for (uint64_t i = 0; i < iterations; i++, state->operations++) {
        uint64_t item = state->operations % 5000, pass = state->operations / 5000;
        for (uint64_t r = 0; r < records_per_operation; r++) {
            recorder->record(recorder, item << item_shift, 1000 + item + (pass > 1 ? pass - 1 : 1 - pass));
        }
    }
    return 0;
}

static const dm_kernel known_kernel = {
    .size = sizeof(dm_kernel), .name = "k", .variant = "v", .run_each = known_run_each};
static const dm_kernel plain_kernel = {.size = sizeof(dm_kernel), .name = "k", .variant = "v", .run = logged_run};
static dmx_histogram every, fastest;

static int32_t passes(const dm_kernel *kernel, dm_state *state, uint64_t operations, int count) {
    dmx_arm arm = {.kernel = kernel, .state = state};
    dmx_latency *latency = NULL;
    REQUIRE(dmx_latency_open(operations, &latency, error, sizeof error) == DM_OK);
    int32_t status = DM_OK;
    for (int pass = 0; status == DM_OK && pass < count; pass++) {
        status = dmx_latency_pass(latency, &arm, error, sizeof error);
    }
    dmx_latency_read(latency, &every, &fastest);
    dmx_latency_close(latency);
    return status;
}

static void test_latency(void) {
    for (item_shift = 0; item_shift <= 40;
         item_shift += 20) { /* items that share their low bits must not be slow or lost */
        dm_state state = {.id = 1};
        CHECK_STATUS(passes(&known_kernel, &state, 5000, 3), DM_OK, error);
        CHECK_EQUAL(every.count, 15000);
        CHECK_EQUAL(every.max_ns, 6000);
        CHECK_EQUAL(every.sum_ns, 3u * (5000u * 1000 + 4999u * 2500) + 2u * 5000);
        CHECK_EQUAL(fastest.count, 5000);
        CHECK_EQUAL(fastest.max_ns, 5999);
        CHECK_EQUAL(fastest.sum_ns, 5000u * 1000 + 4999u * 2500);
        CHECK_EQUAL(fastest.buckets[dmx_histogram_bucket(1000)], 4); /* 1000 to 1003 share a bucket */
    }
    item_shift = 0;
}

/* More operations in a pass than entries fit at a time. */
static void test_long_pass(void) {
    dm_state state = {.id = 1};
    CHECK_STATUS(passes(&known_kernel, &state, 200001, 1), DM_OK, error);
    CHECK_EQUAL(state.operations, 200001);
    CHECK_EQUAL(every.count, 200001);
    CHECK_EQUAL(fastest.count, 5000);
    CHECK_EQUAL(fastest.max_ns, 5999);
}

static void test_without_run_each(void) {
    dm_state state = {.id = 1};
    CHECK_STATUS(passes(&plain_kernel, &state, 70000, 2), DM_OK, error);
    CHECK_EQUAL(state.calls, 140000);
    CHECK_EQUAL(state.operations, 140000); /* one operation per call */
    CHECK_EQUAL(every.count, 140000);
    CHECK_EQUAL(fastest.count, 70000); /* an item is a place in the pass */
}

static void test_wrong_count(void) {
    for (records_per_operation = 0; records_per_operation < 4; records_per_operation++) {
        dm_state state = {.id = 1};
        int32_t status = passes(&known_kernel, &state, 100, 1);
        CHECK_STATUS(status, records_per_operation == 1 ? DM_OK : DMX_REFUSED, error);
    }
    CHECK(strstr(error, "recorded 300 latencies for 100 operations") != NULL);
    records_per_operation = 1;
}

static void test_clock(void) {
    dmx_clock clock;
    dmx_clock_measure(&clock);
    CHECK(clock.resolution_ns >= 1 && clock.cost_ns > 0);
    uint64_t last = dmx_now(), cpu = dmx_thread_cpu();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = dmx_now();
        CHECK(now >= last);
        last = now;
    }
    CHECK(dmx_thread_cpu() > cpu);
}

int main(void) {
    test_schedule();
    test_mix();
    test_scale();
    test_difference();
    test_calibrate();
    test_lead_in();
    test_warm_up_goes_on_until_times_stand_still();
    test_calibrate_nothing();
    test_calibrate_slow();
    test_latency();
    test_long_pass();
    test_without_run_each();
    test_wrong_count();
    test_clock();
    return test_report();
}
