/* workload_speed.c: what one operation of the workload `mixed` costs, and what its twin's costs, on one thread. Not
 * a test.
 *
 *     workload_speed DATA ROWS QUERIES ROWS COLUMNS ROUNDS
 *
 * DATA and QUERIES are files of float32 rows. In each round every operation is timed in the dual store and in the
 * twin, in turn, the order drawn by the round; printed are the medians over the rounds, and the median of the
 * rounds' ratios with its quartiles. */
#include <time.h>

#include "tests/workload_rows.h"
#include "workloads/workloads.h"

enum { ARMS = 2, ROUNDS_MOST = 1000 };
static const double SECTION_NS = 4e6; /* a timed section takes about so long */

/* Processor time of this thread: others on the machine are not in it, but for what they do to the caches. */
static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static int by_size(const void *one, const void *other) {
    const double a = *(const double *)one;
    const double b = *(const double *)other;
    return (a > b) - (a < b);
}

static double quantile(double *values, int count, double share) {
    qsort(values, (size_t)count, sizeof(double), by_size);
    return values[(int)(share * (count - 1) + 0.5)];
}

/* Nanoseconds an operation, over `count` of them with the keys of a seed. */
static double section(const dm_workload *workload, dm_state *state, uint32_t operation, uint64_t count, uint64_t seed) {
    test_random random = {seed};
    uint64_t result = 0;
    int32_t status = DM_OK;
    const double begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        status |= workload->operate(state, 0, operation, test_random_next(&random) >> 8, &result);
    }
    const double elapsed = now_ns() - begin;
    CHECK_EQUAL(status, DM_OK);
    return elapsed / (double)count;
}

static void measure(const dm_workload *const *workloads, dm_state *const *states, uint32_t operation, int rounds) {
    static double times[ARMS][ROUNDS_MOST];
    static double ratios[ROUNDS_MOST];
    const double first = section(workloads[0], states[0], operation, 3, 1);
    (void)section(workloads[1], states[1], operation, 3, 1); /* the same things inserted */
    uint64_t count = (uint64_t)(SECTION_NS / first) + 1;
    const int inserts = workloads[0]->operations[operation].inserts != DM_KEY_NONE;
    count = inserts && count > 50 ? 50 : count;
    for (int r = -1; r < rounds; r++) { /* the first one warms up */
        double round[ARMS];
        for (uint32_t a = 0; a < ARMS; a++) {
            const uint32_t arm = (a + (uint32_t)r / 2 + (uint32_t)r) % ARMS;
            round[arm] = section(workloads[arm], states[arm], operation, count, 50 + (uint64_t)r);
        }
        if (r >= 0) {
            times[0][r] = round[0];
            times[1][r] = round[1];
            ratios[r] = round[0] / round[1];
        }
    }
    printf("%-15s %10.1f ns %10.1f ns   dual/single %.3f [%.3f, %.3f]  x %llu\n",
           workloads[0]->operations[operation].name, quantile(times[0], rounds, 0.5), quantile(times[1], rounds, 0.5),
           quantile(ratios, rounds, 0.5), quantile(ratios, rounds, 0.25), quantile(ratios, rounds, 0.75),
           (unsigned long long)count);
}

int main(int argc, char **argv) {
    if (argc != 7 || atoi(argv[6]) < 1 || atoi(argv[6]) > ROUNDS_MOST) {
        fprintf(stderr, "usage: workload_speed DATA ROWS QUERIES ROWS COLUMNS ROUNDS (1 to %d)\n", ROUNDS_MOST);
        return 2;
    }
    const dm_workload *const workloads[ARMS] = {&dm_mixed_dual, &dm_mixed_single};
    double parameters[DM_MIXED_PARAMETERS];
    for (size_t i = 0; i < DM_MIXED_PARAMETERS; i++) {
        parameters[i] = dm_mixed_dual.parameters[i].default_value;
    }
    const dm_case work = read_case(argv, parameters);
    dm_state *states[ARMS];
    for (uint32_t a = 0; a < ARMS; a++) {
        char error[300];
        double begin = now_ns();
        REQUIRE(CHECK_STATUS(workloads[a]->setup(&work, 1, &states[a], error, sizeof(error)), DM_OK, error));
        printf("%s: set up in %.0f ms", workloads[a]->variant, (now_ns() - begin) / 1e6);
        double values[DM_MIXED_METRICS];
        begin = now_ns();
        CHECK_EQUAL(workloads[a]->read_metrics(states[a], values, workloads[a]->metric_count), DM_OK);
        printf(", walked in %.1f ms\n", (now_ns() - begin) / 1e6);
        for (size_t m = 0; m < workloads[a]->metric_count; m++) {
            printf("  %s %.6g\n", workloads[a]->metrics[m].name, values[m]);
        }
    }
    for (uint32_t operation = 0; operation < DM_MIXED_OPERATIONS; operation++) {
        measure(workloads, states, operation, atoi(argv[6]));
    }
    for (uint32_t a = 0; a < ARMS; a++) {
        double values[DM_MIXED_METRICS];
        CHECK_EQUAL(workloads[a]->read_metrics(states[a], values, workloads[a]->metric_count), DM_OK);
        printf("%s: %g concepts of the last formation\n", workloads[a]->variant, values[DM_MIXED_METRIC_FORMED]);
        workloads[a]->teardown(states[a]);
    }
    free_case(&work);
    return test_report();
}
