/* test_index_kernels.c: the kernels `concept_lookup_at_recall` and `concept_lookup_at_recall_single` through the
 * kernel table: recall against brute force, both stores alike, from a prepared file as from none, and what the
 * metrics say. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/kernels.h"
#include "tests/support.h"

enum { ROWS = 620, COLUMNS = 45, STRIDE = 48, QUERIES = 60, K = 10 };

static float *data;
static float *queries;

/* Rows round 12 centres. */
static float *make_rows(uint64_t seed, size_t rows) {
    test_random random = {seed};
    float *values = aligned_alloc(64, rows * STRIDE * sizeof(float));
    REQUIRE(values != NULL);
    memset(values, 0, rows * STRIDE * sizeof(float));
    for (size_t row = 0; row < rows; row++) {
        test_random centre = {500 + test_random_below(&random, 12)};
        for (size_t i = 0; i < COLUMNS; i++) {
            values[row * STRIDE + i] = (float)(test_random_normal(&centre) + 0.4 * test_random_normal(&random));
        }
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

static const dm_kernel *find(const char *name, const char *variant) {
    for (size_t i = 0; i < dm_concept_lookup_at_recall_kernel_count; i++) {
        const dm_kernel *kernel = dm_concept_lookup_at_recall_kernels[i];
        if (strcmp(kernel->name, name) == 0 && strcmp(kernel->variant, variant) == 0) {
            return kernel;
        }
    }
    test_abandon(__FILE__, __LINE__);
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

/* Share of the rows reported that are among the K nearest of the first `concepts` rows. */
static double recall_of(const double *rows, uint32_t concepts) {
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
    return hits / (double)(QUERIES * K);
}

static double value_of(const dm_kernel *kernel, const double *values, const char *name) {
    for (size_t i = 0; i < kernel->metric_count; i++) {
        if (strcmp(kernel->metrics[i].name, name) == 0) {
            return values[i];
        }
    }
    test_abandon(__FILE__, __LINE__);
}

/* Runs every query once and returns the checksum; `rows` receives what was found. */
static uint64_t run_case(const dm_kernel *kernel, const dm_case *work, double *rows, double *values) {
    dm_state *state = NULL;
    char error[300] = "";
    size_t needed = 0;
    CHECK_STATUS(kernel->setup(work, &state, error, sizeof(error)), DM_OK, error);
    REQUIRE(state != NULL);
    CHECK_EQUAL(kernel->read_metrics(state, values, kernel->metric_count), DM_OK);
    CHECK(isnan(value_of(kernel, values, "compared_per_operation"))); /* not searched yet */
    uint64_t checksum = kernel->run(state, QUERIES);
    CHECK_EQUAL(kernel->run(state, QUERIES), checksum); /* a round later: the same */
    CHECK_EQUAL(kernel->read_output(state, rows, QUERIES * K, &needed), DM_OK);
    CHECK_EQUAL(needed, QUERIES * K);
    CHECK_EQUAL(kernel->read_metrics(state, values, kernel->metric_count), DM_OK);
    kernel->teardown(state);
    return checksum;
}

static const char *const variants[] = {"auto", "exact", "lists", "graph"};

static void check_metrics(const dm_kernel *kernel, const double *values, uint32_t concepts, uint32_t variant) {
    const double method = value_of(kernel, values, "method");
    const double recall = value_of(kernel, values, "held_out_recall");
    CHECK(value_of(kernel, values, "population") == 2.0 * concepts);
    CHECK(variant == 0 ? method >= 1.0 && method <= 3.0 : method == variant);
    CHECK((method == 1.0) == (value_of(kernel, values, "effort") == 0.0));
    CHECK(recall >= 0.9 && recall <= 1.0);
    CHECK(value_of(kernel, values, "compared_per_operation") >= K);
    CHECK(method != 1.0 || value_of(kernel, values, "compared_per_operation") == concepts);
    CHECK(value_of(kernel, values, "reranked_per_operation") >= K);
    CHECK(value_of(kernel, values, "build_seconds") > 0.0 && value_of(kernel, values, "build_seconds") < 60.0);
    CHECK(value_of(kernel, values, "bytes_per_operation") >= 4.0 * COLUMNS * (K + 1));
    CHECK(value_of(kernel, values, "memory_bytes") > value_of(kernel, values, "index_bytes_per_concept") * concepts);
    CHECK(value_of(kernel, values, "projected_dims") <= COLUMNS / 2);
}

static void test_variants(void) {
    const double parameters[] = {K, 600, 0.9, 1};
    const dm_case work = make_case(parameters);
    for (uint32_t i = 0; i < 4; i++) {
        double rows[QUERIES * K];
        double values[20];
        const dm_kernel *kernel = find("concept_lookup_at_recall", variants[i]);
        uint64_t dual = run_case(kernel, &work, rows, values);
        CHECK(recall_of(rows, 600) >= (i == 1 ? 1.0 : 0.85)); /* 60 queries are known to 0.02 */
        check_metrics(kernel, values, 600, i);
        kernel = find("concept_lookup_at_recall_single", variants[i]);
        CHECK_EQUAL(run_case(kernel, &work, rows, values), dual);
        CHECK(value_of(kernel, values, "population") == 2.0 * 600);
    }
    const dm_kernel *avx2 = find("concept_lookup_at_recall", "auto_avx2");
    char reason[200] = "";
    if (avx2->supported(reason, sizeof(reason)) != DM_OK) {
        test_skip("auto_avx2", reason);
        return;
    }
    double rows[QUERIES * K];
    double values[20];
    uint64_t checksum = run_case(avx2, &work, rows, values);
    CHECK_EQUAL(run_case(find("concept_lookup_at_recall", "auto"), &work, rows, values), checksum);
}

static uint8_t *read_file(const char *path, size_t *size) {
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0 && fstat(file, &facts) == 0);
    *size = (size_t)facts.st_size;
    uint8_t *bytes = malloc(*size);
    REQUIRE(bytes != NULL && read(file, bytes, *size) == (ssize_t)*size);
    (void)close(file);
    return bytes;
}

static void check_prepared(const dm_kernel *kernel, double threads, const char *path) {
    const double parameters[] = {K, 0, 0.9, threads};
    dm_case work = make_case(parameters);
    char error[300] = "";
    double rows[QUERIES * K];
    double built_values[20];
    double values[20];
    size_t size = 0;
    CHECK_STATUS(kernel->prepare(&work, path, error, sizeof(error)), DM_OK, error);
    CHECK_STATUS(kernel->prepare(&work, path, error, sizeof(error)), DM_ERROR_IO, error); /* the file is there */
    uint8_t *bytes = read_file(path, &size);
    uint64_t built = run_case(kernel, &work, rows, built_values);
    work.prepared = bytes;
    work.prepared_size = size;
    CHECK_EQUAL(run_case(kernel, &work, rows, values), built);
    CHECK(recall_of(rows, ROWS) >= 0.85);
    CHECK(value_of(kernel, values, "effort") == value_of(kernel, built_values, "effort"));
    CHECK(value_of(kernel, values, "held_out_recall") == value_of(kernel, built_values, "held_out_recall"));
    double seconds[2];
    memcpy(seconds, bytes + 8, sizeof(seconds));
    CHECK(value_of(kernel, values, "build_seconds") == seconds[0] && seconds[0] > 0.0);
    CHECK(value_of(kernel, values, "build_elapsed_seconds") == seconds[1] && seconds[1] > 0.0);
    dm_state *state = NULL;
    const size_t parts[] = {size - 1, 64, 63, 7};
    for (size_t i = 0; i < 4; i++) {
        uint8_t *part = test_guard_allocate(parts[i], TEST_GUARD_AFTER);
        memcpy(part, bytes, parts[i]);
        work.prepared = part;
        work.prepared_size = parts[i];
        CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_CORRUPT, error);
        CHECK(state == NULL);
        test_guard_free(part);
    }
    const double fewer[] = {K, 560, 0.9, 1};
    work = make_case(fewer); /* not the case that it was prepared for */
    work.prepared = bytes;
    work.prepared_size = size;
    CHECK_STATUS(kernel->setup(&work, &state, error, sizeof(error)), DM_ERROR_CORRUPT, error);
    CHECK(state == NULL);
    free(bytes);
    (void)unlink(path);
}

static void test_prepared(void) {
    char folder[] = "/tmp/dualmem-test-XXXXXX";
    char path[60];
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/index", folder);
    for (uint32_t i = 0; i < 4; i++) {
        check_prepared(find("concept_lookup_at_recall", variants[i]), 1 + i % 2, path);
    }
    (void)rmdir(folder);
}

static void test_refusals(void) {
    const double parameters[] = {K, ROWS + 1, 0.9, 1};
    const double few[] = {K, K - 1, 0.9, 1};
    const dm_kernel *kernel = find("concept_lookup_at_recall", "auto");
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
