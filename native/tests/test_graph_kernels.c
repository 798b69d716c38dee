/* test_graph_kernels.c: the kernels `concept_lookup_graph` and `concept_lookup_graph_single` through the kernel table:
 * recall against brute force, the same rows from every variant and both stores, and from a prepared file as from
 * none. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/kernels.h"
#include "tests/support.h"

enum { ROWS = 330, COLUMNS = 45, STRIDE = 48, QUERIES = 13, K = 10 };

static float *data;
static float *queries;

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

static dm_case make_case(const double *parameters) {
    return (dm_case){.size = sizeof(dm_case),
                     .seed = 5,
                     .parameters = parameters,
                     .parameter_count = 3,
                     .data = {data, ROWS, COLUMNS, STRIDE},
                     .queries = {queries, QUERIES, COLUMNS, STRIDE},
                     .placement = 128};
}

static int can_run(const dm_kernel *kernel) {
    char reason[200] = "";
    return kernel->supported == NULL || kernel->supported(reason, sizeof(reason)) == DM_OK;
}

static double cosine(const float *a, const float *b) {
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

/* Of the rows reported for all queries: how many are among the K nearest of the first `concepts` rows. */
static uint32_t count_hits(const double *rows, uint32_t concepts) {
    uint32_t hits = 0;
    for (uint32_t query = 0; query < QUERIES; query++) {
        for (uint32_t i = 0; i < K; i++) {
            uint32_t row = (uint32_t)rows[query * K + i];
            uint32_t better = 0;
            REQUIRE(row < concepts);
            for (uint32_t other = 0; other < concepts; other++) {
                better += cosine(queries + query * STRIDE, data + other * STRIDE) >
                          cosine(queries + query * STRIDE, data + row * STRIDE);
            }
            hits += better < K;
        }
    }
    return hits;
}

/* Runs every query once and returns the checksum; `rows` receives what was found. */
static uint64_t run_case(const dm_kernel *kernel, const dm_case *work, double *rows, double *values) {
    dm_state *state = NULL;
    char error[300] = "";
    size_t needed = 0;
    CHECK_STATUS(kernel->setup(work, &state, error, sizeof(error)), DM_OK, error);
    REQUIRE(state != NULL);
    uint64_t checksum = kernel->run(state, QUERIES);
    CHECK_EQUAL(kernel->run(state, QUERIES), checksum); /* a round later: the same */
    CHECK_EQUAL(kernel->read_output(state, rows, QUERIES * K, &needed), DM_OK);
    CHECK_EQUAL(needed, QUERIES * K);
    CHECK_EQUAL(kernel->read_metrics(state, values, kernel->metric_count), DM_OK);
    kernel->teardown(state);
    return checksum;
}

static void check_metrics(const dm_kernel *kernel, const double *values, uint32_t concepts) {
    for (size_t i = 0; i < kernel->metric_count; i++) {
        const char *name = kernel->metrics[i].name;
        if (strcmp(name, "population") == 0) {
            CHECK(values[i] == 2.0 * concepts);
        } else if (strcmp(name, "compared_per_operation") == 0) {
            CHECK(values[i] >= K && values[i] <= concepts + 40.0); /* the descent meets some twice */
        } else if (strcmp(name, "reranked_per_operation") == 0) {
            CHECK(values[i] >= K && values[i] <= 400.0);
        } else {
            CHECK(values[i] > 0.0);
        }
    }
}

static void test_variants(void) {
    const double parameters[] = {K, 300, 100};
    const dm_case work = make_case(parameters);
    uint64_t checksum = 0;
    for (size_t i = 0; i < dm_concept_lookup_graph_kernel_count; i++) {
        const dm_kernel *kernel = dm_concept_lookup_graph_kernels[i];
        double rows[QUERIES * K];
        double values[20];
        if (!can_run(kernel)) {
            test_skip(kernel->variant, "not on this machine");
            continue;
        }
        uint64_t found = run_case(kernel, &work, rows, values);
        CHECK(checksum == 0 || found == checksum);
        checksum = found;
        CHECK(count_hits(rows, 300) >= 0.97 * QUERIES * K);
        check_metrics(kernel, values, 300);
    }
}

static void test_prepared(void) {
    const double parameters[] = {K, 0, 16};
    const dm_kernel *kernel = dm_concept_lookup_graph_kernels[0];
    dm_case work = make_case(parameters);
    char folder[] = "/tmp/dualmem-test-XXXXXX";
    char path[60];
    char error[300] = "";
    double rows[QUERIES * K];
    double values[20];
    struct stat facts;
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/graph", folder);
    CHECK_STATUS(kernel->prepare(&work, path, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(kernel->prepare(&work, path, error, sizeof(error)), DM_ERROR_IO, error); /* the file is there */
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0 && fstat(file, &facts) == 0);
    size_t size = (size_t)facts.st_size;
    uint8_t *bytes = malloc(size);
    REQUIRE(bytes != NULL && read(file, bytes, size) == (ssize_t)size);
    (void)close(file);
    uint64_t built = run_case(kernel, &work, rows, values);
    work.prepared = bytes;
    work.prepared_size = size;
    CHECK_EQUAL(run_case(kernel, &work, rows, values), built);
    CHECK(count_hits(rows, ROWS) >= 0.7 * QUERIES * K); /* a list of 16 in random data */
    dm_state *state = NULL;
    work.prepared_size = size - 1;
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_CORRUPT, error);
    CHECK(state == NULL);
    const double fewer[] = {K, 200, 16};
    work = make_case(fewer); /* not the case that it was prepared for */
    work.prepared = bytes;
    work.prepared_size = size;
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_CORRUPT, error);
    CHECK(state == NULL);
    free(bytes);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void test_refusals(void) {
    const double parameters[] = {K, ROWS + 1, 64};
    const double few[] = {K, K - 1, 64};
    const dm_kernel *kernel = dm_concept_lookup_graph_kernels[0];
    dm_state *state = NULL;
    char error[300] = "";
    dm_case work = make_case(parameters);
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK_STATUS(kernel->prepare(&work, "/tmp/never", error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    work = make_case(few);
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_ARGUMENT, error);
    CHECK(state == NULL && access("/tmp/never", F_OK) != 0);
}

int main(void) {
    data = make_rows(1, ROWS);
    queries = make_rows(2, QUERIES);
    test_variants();
    test_prepared();
    test_refusals();
    free(data);
    free(queries);
    return test_report();
}
