/* test_perf_counters.c: what is counted is what happened, and what is not known says why. Page faults, switches and processor time have
 * known causes here; the hardware's counters are held against the loop they count, where there are any. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dualmem/perf_counters.h"
#include "tests/support.h"

static dm_perf_counters *make(void) {
    char error[256] = "";
    dm_perf_counters *counters = NULL;
    REQUIRE(CHECK_STATUS(dm_perf_create(&counters, error, sizeof(error)), DM_OK, error));
    return counters;
}

static void test_names(void) {
    CHECK(strcmp(dm_perf_name(DM_PERF_CYCLES), "cycles") == 0);
    CHECK(strcmp(dm_perf_name(DM_PERF_CONTEXT_SWITCHES), "context_switches") == 0);
    for (int32_t i = 0; i < DM_PERF_COUNT; i++) {
        CHECK(dm_perf_name(i) != NULL);
    }
    CHECK(dm_perf_name(-1) == NULL && dm_perf_name(DM_PERF_COUNT) == NULL);
}

static void test_nothing_is_known_before_it_was_counted(void) {
    dm_perf_counters *counters = make();
    dm_perf_reading readings[DM_PERF_COUNT];
    for (int round = 0; round < 2; round++) {
        dm_perf_read(counters, readings);
        for (int i = 0; i < DM_PERF_COUNT; i++) {
            CHECK(!readings[i].known && isnan(readings[i].value));
        }
        dm_perf_stop(counters); /* without a start: nothing happens */
    }
    dm_perf_start(counters);
    dm_perf_read(counters, readings);
    CHECK(!readings[DM_PERF_TASK_CLOCK].known); /* still counting */
    dm_perf_destroy(counters);
    dm_perf_destroy(NULL);
}

static void test_page_faults(void) {
    enum { PAGES = 300 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    dm_perf_counters *counters = make();
    dm_perf_reading readings[DM_PERF_COUNT];
    for (int round = 0; round < 3; round++) { /* from zero each time */
        char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(memory != MAP_FAILED);
        (void)madvise(memory, PAGES * page, MADV_NOHUGEPAGE);
        dm_perf_start(counters);
        for (size_t i = 0; i < PAGES; i++) {
            memory[i * page] = 1;
        }
        dm_perf_stop(counters);
        dm_perf_read(counters, readings);
        CHECK(readings[DM_PERF_PAGE_FAULTS].known);
        CHECK(readings[DM_PERF_PAGE_FAULTS].value >= PAGES && readings[DM_PERF_PAGE_FAULTS].value < PAGES + 50);
        dm_perf_start(counters);
        dm_perf_stop(counters);
        dm_perf_read(counters, readings);
        CHECK(readings[DM_PERF_PAGE_FAULTS].value < 50);
        (void)munmap(memory, PAGES * page);
    }
    dm_perf_destroy(counters);
}

static void test_switches_and_processor_time(void) {
    dm_perf_counters *counters = make();
    dm_perf_reading readings[DM_PERF_COUNT];
    dm_perf_start(counters);
    for (int i = 0; i < 20; i++) { /* every sleep gives the processor away */
        struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    dm_perf_stop(counters);
    dm_perf_read(counters, readings);
    CHECK(readings[DM_PERF_CONTEXT_SWITCHES].known && readings[DM_PERF_CONTEXT_SWITCHES].value >= 20);
    CHECK(readings[DM_PERF_TASK_CLOCK].value < 20e6); /* it slept for 20 ms and worked for less */
    struct timespec begin;
    struct timespec end;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    dm_perf_start(counters);
    volatile double sum = 0.0;
    for (int i = 0; i < 3000000; i++) {
        sum += (double)i;
    }
    (void)sum;
    dm_perf_stop(counters);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    dm_perf_read(counters, readings);
    double spent = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    CHECK(readings[DM_PERF_TASK_CLOCK].value > 0.5e6);
    CHECK(readings[DM_PERF_TASK_CLOCK].value <= spent && readings[DM_PERF_TASK_CLOCK].value >= 0.5 * spent);
    dm_perf_destroy(counters);
}

/* Known with a value that fits the loop, or not known with a reason: never a zero. */
static void test_the_hardware(void) {
    enum { ROUNDS = 4000000 };
    dm_perf_counters *counters = make();
    dm_perf_reading readings[DM_PERF_COUNT];
    dm_perf_start(counters);
    for (volatile int i = 0; i < ROUNDS; i++) {
    }
    dm_perf_stop(counters);
    dm_perf_read(counters, readings);
    for (int32_t i = 0; i <= DM_PERF_BRANCH_MISSES; i++) {
        CHECK(readings[i].known == (dm_perf_reason(counters, i)[0] == '\0'));
        CHECK(readings[i].known || isnan(readings[i].value));
        if (!readings[i].known) {
            test_skip(dm_perf_name(i), dm_perf_reason(counters, i));
        }
    }
    if (readings[DM_PERF_INSTRUCTIONS].known) { /* at least load, add, store, compare, branch */
        CHECK(readings[DM_PERF_INSTRUCTIONS].value > 3.0 * ROUNDS && readings[DM_PERF_INSTRUCTIONS].value < 20.0 * ROUNDS);
    }
    if (readings[DM_PERF_CYCLES].known) {
        CHECK(readings[DM_PERF_CYCLES].value > 0.5 * ROUNDS);
    }
    CHECK(strcmp(dm_perf_reason(counters, DM_PERF_TASK_CLOCK), "") == 0);
    CHECK(dm_perf_reason(counters, 99)[0] != '\0');
    dm_perf_destroy(counters);
}

/* Files of closed counters are given back. */
static void test_nothing_leaks(void) {
    int before = dup(0);
    (void)close(before);
    for (int i = 0; i < 100; i++) {
        dm_perf_destroy(make());
    }
    int after = dup(0);
    (void)close(after);
    CHECK_EQUAL(after, before);
}

int main(void) {
    test_names();
    test_nothing_is_known_before_it_was_counted();
    test_page_faults();
    test_switches_and_processor_time();
    test_the_hardware();
    test_nothing_leaks();
    return test_report();
}
