/* test_lookup_kernels.c: the kernels `similarity` and `concept_lookup` and their twins, through the kernel table,
 * against a brute-force search in double; and what they refuse. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support.h"

enum { ROWS = 230, COLUMNS = 45, STRIDE = 48, QUERIES = 13, K_MAX = 100 };

static float *data;
static float *queries;

static double true_cosine(const float *a, const float *b) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (size_t i = 0; i < COLUMNS; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static float *make_rows(uint64_t seed, size_t rows) {
    test_random random = {seed};
    float *values = aligned_alloc(64, rows * STRIDE * sizeof(float));
    REQUIRE(values != NULL);
    memset(values, 0, rows * STRIDE * sizeof(float));
    for (size_t row = 0; row < rows; row++) {
        test_random_fill(&random, values + row * STRIDE, COLUMNS);
    }
    return values;
}

static dm_case make_case(const double *parameters, size_t count) {
    return (dm_case){.size = sizeof(dm_case),
                     .seed = 5,
                     .parameters = parameters,
                     .parameter_count = count,
                     .data = {data, ROWS, COLUMNS, STRIDE},
                     .queries = {queries, QUERIES, COLUMNS, STRIDE},
                     .placement = 128};
}

static int can_run(const dm_kernel *kernel) {
    char reason[200] = "";
    return kernel->supported == NULL || kernel->supported(reason, sizeof(reason)) == DM_OK;
}

static dm_state *open_state(const dm_kernel *kernel, const dm_case *work) {
    dm_state *state = NULL;
    char error[300] = "";
    CHECK_STATUS(kernel->setup(work, &state, error, sizeof(error)), DM_OK, error);
    REQUIRE(state != NULL);
    return state;
}

static void check_refused(const dm_kernel *kernel, const dm_case *work, int32_t expected) {
    dm_state *state = NULL;
    char error[300] = "";
    CHECK_STATUS(kernel->setup(work, &state, error, sizeof(error)), expected, error);
    CHECK(state == NULL);
}

/* --- concept_lookup ----------------------------------------------------------------------------------------------- */

/* The rows that brute force finds among the first `concepts`, best first. */
static void search_by_force(const float *query, uint32_t concepts, uint32_t k, uint32_t *best) {
    double cosines[ROWS];
    for (uint32_t row = 0; row < concepts; row++) {
        cosines[row] = true_cosine(query, data + (size_t)row * STRIDE);
    }
    for (uint32_t i = 0; i < k; i++) {
        uint32_t largest = 0;
        for (uint32_t row = 1; row < concepts; row++) {
            largest = cosines[row] > cosines[largest] ? row : largest;
        }
        best[i] = largest;
        cosines[largest] = -2.0;
    }
}

static void check_lookup(const dm_kernel *kernel, uint32_t k, uint32_t concepts) {
    const double parameters[] = {k, concepts};
    const uint32_t population = concepts == 0 ? ROWS : concepts;
    dm_case work = make_case(parameters, 2);
    dm_state *state = open_state(kernel, &work);
    double metrics[6];
    CHECK_EQUAL(kernel->read_metrics(state, metrics, 6), DM_OK);
    CHECK(isnan(metrics[5]) && isnan(metrics[2])); /* nothing was searched yet */
    (void)kernel->run(state, QUERIES);
    size_t needed = 0;
    double found[QUERIES * K_MAX];
    CHECK_EQUAL(kernel->read_output(state, found, QUERIES * K_MAX, &needed), DM_OK);
    CHECK_EQUAL(needed, QUERIES * k);
    for (uint32_t query = 0; query < QUERIES; query++) {
        uint32_t best[K_MAX];
        search_by_force(queries + (size_t)query * STRIDE, population, k, best);
        for (uint32_t i = 0; i < k; i++) {
            CHECK_EQUAL(found[query * k + i], best[i]);
        }
    }
    double again[6];
    CHECK_EQUAL(kernel->read_metrics(state, metrics, 6), DM_OK);
    CHECK_EQUAL(metrics[0], 2 * population);
    CHECK(metrics[5] >= k && metrics[5] <= population);
    CHECK(metrics[3] == metrics[2] && metrics[2] >= COLUMNS * sizeof(float)); /* all of it again for every query */
    (void)kernel->run(state, 3 * QUERIES / 2);
    CHECK_EQUAL(kernel->read_metrics(state, again, 6), DM_OK);
    CHECK(memcmp(metrics, again, sizeof(metrics)) == 0); /* metrics of a case do not depend on how long it ran */
    kernel->teardown(state);
}

/* A recorder whose clock ticks once per reading and that counts what it is given. */
typedef struct counting_recorder {
    dm_recorder head;
    uint32_t seen[QUERIES];
    uint32_t total;
} counting_recorder;

static uint64_t ticks;

static uint64_t tick(void) {
    return ticks++;
}

static void count(dm_recorder *self, uint64_t item, uint64_t nanoseconds) {
    counting_recorder *recorder = (counting_recorder *)(void *)self;
    if (CHECK(item < QUERIES)) {
        recorder->seen[item]++;
    }
    CHECK_EQUAL(nanoseconds, 1); /* one reading before and one behind */
    recorder->total++;
}

static void check_run_each(const dm_kernel *kernel) {
    const double parameters[] = {10, 0};
    dm_case work = make_case(parameters, 2);
    dm_state *state = open_state(kernel, &work);
    dm_state *other = open_state(kernel, &work);
    counting_recorder recorder = {.head = {sizeof(dm_recorder), tick, count}};
    CHECK_EQUAL(kernel->run_each(state, 2 * QUERIES, &recorder.head), kernel->run(other, 2 * QUERIES));
    CHECK_EQUAL(recorder.total, 2 * QUERIES);
    for (uint32_t query = 0; query < QUERIES; query++) {
        CHECK_EQUAL(recorder.seen[query], 2); /* each once per pass */
    }
    kernel->teardown(state);
    kernel->teardown(other);
}

/* All variants, of both stores, return the same checksum, and one that depends on the rows. */
static void check_lookup_checksums(void) {
    uint64_t expected = 0;
    for (size_t i = 0; i < dm_concept_lookup_kernel_count; i++) {
        const dm_kernel *kernel = dm_concept_lookup_kernels[i];
        const double parameters[] = {7, 200};
        const double fewer[] = {7, 150};
        dm_case work = make_case(parameters, 2);
        if (!can_run(kernel)) {
            continue;
        }
        dm_state *state = open_state(kernel, &work);
        uint64_t checksum = kernel->run(state, 3 * QUERIES);
        expected = i == 0 ? checksum : expected;
        CHECK_EQUAL(checksum, expected);
        kernel->teardown(state);
        work.parameters = fewer;
        state = open_state(kernel, &work);
        CHECK(kernel->run(state, 3 * QUERIES) != expected);
        kernel->teardown(state);
    }
}

static void check_lookup_refusals(const dm_kernel *kernel) {
    const double too_many[] = {10, ROWS + 1};
    const double large_k[] = {10, 9};
    const double good[] = {10, 0};
    dm_case work = make_case(too_many, 2);
    check_refused(kernel, &work, DM_ERROR_ARGUMENT);
    work = make_case(large_k, 2);
    check_refused(kernel, &work, DM_ERROR_ARGUMENT);
    work = make_case(good, 2);
    work.queries.columns = COLUMNS - 1;
    check_refused(kernel, &work, DM_ERROR_ARGUMENT);
    work = make_case(good, 2);
    float kept = queries[3 * STRIDE + 7];
    queries[3 * STRIDE + 7] = NAN;
    check_refused(kernel, &work, DM_ERROR_CORRUPT);
    queries[3 * STRIDE + 7] = kept;
    kept = data[30 * STRIDE + 2];
    data[30 * STRIDE + 2] = INFINITY;
    check_refused(kernel, &work, DM_ERROR_CORRUPT);
    data[30 * STRIDE + 2] = kept;
}

/* --- similarity --------------------------------------------------------------------------------------------------- */

static void check_similarity(const dm_kernel *kernel, uint32_t centroids) {
    const double parameters[] = {centroids};
    dm_case work = make_case(parameters, 1);
    dm_state *state = open_state(kernel, &work);
    for (uint32_t operation = 0; operation < 2 * QUERIES + 1; operation++) {
        double found[ROWS];
        size_t needed = 0;
        (void)kernel->run(state, 1);
        CHECK_EQUAL(kernel->read_output(state, found, ROWS, &needed), DM_OK);
        CHECK_EQUAL(needed, centroids);
        for (uint32_t row = 0; row < centroids; row++) {
            const float *query = queries + (size_t)(operation % QUERIES) * STRIDE;
            CHECK_NEAR(found[row], true_cosine(query, data + (size_t)row * STRIDE), kernel->tolerance);
        }
    }
    double metrics[5];
    CHECK_EQUAL(kernel->read_metrics(state, metrics, 5), DM_OK);
    CHECK_EQUAL(metrics[0], 2 * centroids);
    /* All of it again every time. */
    CHECK(metrics[3] == metrics[2] && metrics[2] > centroids * COLUMNS * sizeof(float));
    CHECK_EQUAL(metrics[1], centroids * (2 * COLUMNS + 1));
    kernel->teardown(state);
}

static void check_similarity_refusals(const dm_kernel *kernel) {
    const double too_many[] = {ROWS + 1};
    const double good[] = {16};
    dm_case work = make_case(too_many, 1);
    check_refused(kernel, &work, DM_ERROR_ARGUMENT);
    work = make_case(good, 1);
    work.queries.rows = 0;
    check_refused(kernel, &work, DM_ERROR_ARGUMENT);
}

static void skip_or_note(const dm_kernel *kernel, int runs) {
    char what[200];
    snprintf(what, sizeof(what), "%s %s", kernel->name, kernel->variant);
    if (runs) {
        printf("ran %s\n", what);
    } else {
        test_skip(what, "not supported by this machine");
    }
}

/* Whoever sets up without asking first is told, not killed by an instruction that the processor does not know. */
static void check_unsupported(const dm_kernel *kernel) {
    const double parameters[] = {10, 0};
    dm_case work = make_case(parameters, kernel->parameter_count);
    check_refused(kernel, &work, DM_ERROR_UNSUPPORTED);
}

int main(void) {
    data = make_rows(41, ROWS);
    queries = make_rows(42, QUERIES);
    for (size_t i = 0; i < dm_concept_lookup_kernel_count; i++) {
        const dm_kernel *kernel = dm_concept_lookup_kernels[i];
        skip_or_note(kernel, can_run(kernel));
        if (can_run(kernel)) {
            check_lookup(kernel, 10, 0);
            check_lookup(kernel, 1, 1);
            check_lookup(kernel, 100, 101);
            check_run_each(kernel);
            check_lookup_refusals(kernel);
        } else {
            check_unsupported(kernel);
        }
    }
    check_lookup_checksums();
    for (size_t i = 0; i < dm_similarity_kernel_count; i++) {
        const dm_kernel *kernel = dm_similarity_kernels[i];
        skip_or_note(kernel, can_run(kernel));
        if (can_run(kernel)) {
            check_similarity(kernel, 16);
            check_similarity(kernel, 1);
            check_similarity(kernel, 115);
            check_similarity(kernel, ROWS);
            check_similarity_refusals(kernel);
        } else {
            check_unsupported(kernel);
        }
    }
    free(data);
    free(queries);
    return test_report();
}
