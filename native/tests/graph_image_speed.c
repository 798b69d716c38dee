/* graph_image_speed.c: what it takes to load a graph's image by copying it and in place, and what searches cost after
 * each: `graph_image_speed [ROWS [ROUNDS [FOLDER]]]`. The two take turns, so that what else the machine does falls on
 * both; the file is in the page cache. Medians, and the median of the rounds' ratios. Not a test. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/graph_case.h"

enum { DIM = 768, INNER = 16, CLUSTERS = 100, QUERIES = 200, ROUNDS_MAX = 1000 };
enum { LOAD, FIRST, LATER, DESTROY, TIMES };

static const char *const names[TIMES] = {"load", "first search", "200 searches later", "destroy"};

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int32_t load_copy(graph_case *made, const char *path, size_t size, char *error, size_t error_size) {
    const dm_rows rows = graph_case_rows(made);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const void *bytes = dm_memory_map_file(file, size);
    REQUIRE(file >= 0 && bytes != NULL);
    int32_t status = dm_graph_from_image(dm_graph_best(), &rows, bytes, size, 0, &made->account, &made->graph, error,
                                         error_size);
    dm_memory_unmap_file(bytes, size);
    (void)close(file);
    return status;
}

static int32_t load_in_place(graph_case *made, const char *path, char *error, size_t error_size) {
    const dm_rows rows = graph_case_rows(made);
    return dm_graph_from_file(dm_graph_best(), &rows, path, &made->account, &made->graph, error, error_size);
}

static void search(const graph_case *made, const float *queries, uint32_t count) {
    dm_neighbour found[10];
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQUAL(dm_graph_search(made->graph, made->scratch, queries + i * DIM, 10, 64, found), 10);
    }
}

static void measure(graph_case *made, const char *path, size_t size, const float *queries, int in_place,
                    double *times) {
    char error[300] = "";
    double begin = now();
    int32_t status = in_place ? load_in_place(made, path, error, sizeof(error))
                              : load_copy(made, path, size, error, sizeof(error));
    times[LOAD] = now() - begin;
    CHECK_STATUS(status, DM_OK, error);
    REQUIRE(made->graph != NULL);
    status = dm_graph_scratch_create(made->graph, &made->account, &made->scratch, error, sizeof(error));
    CHECK_STATUS(status, DM_OK, error);
    begin = now();
    search(made, queries, 1);
    times[FIRST] = now() - begin;
    search(made, queries, QUERIES);
    begin = now();
    search(made, queries, QUERIES);
    times[LATER] = now() - begin;
    dm_graph_scratch_destroy(made->scratch, &made->account);
    begin = now();
    dm_graph_destroy(made->graph, &made->account);
    times[DESTROY] = now() - begin;
}

static int by_value(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, uint32_t count) {
    qsort(values, count, sizeof(*values), by_value);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2.0;
}

static void report(double (*rounds)[2][TIMES], uint32_t count) {
    static double copied[ROUNDS_MAX];
    static double mapped[ROUNDS_MAX];
    static double ratios[ROUNDS_MAX];
    for (int time = 0; time < TIMES; time++) {
        for (uint32_t i = 0; i < count; i++) {
            copied[i] = rounds[i][0][time];
            mapped[i] = rounds[i][1][time];
            ratios[i] = mapped[i] / copied[i];
        }
        printf("%-20s copied %10.1f us   in place %10.1f us   in place / copied %.3f\n", names[time],
               median(copied, count), median(mapped, count), median(ratios, count));
    }
}

int main(int argc, char **argv) {
    static double rounds[ROUNDS_MAX][2][TIMES];
    const uint32_t rows = argc > 1 ? (uint32_t)atoi(argv[1]) : 10000;
    const uint32_t asked = argc > 2 ? (uint32_t)atoi(argv[2]) : 21;
    const uint32_t count = asked < ROUNDS_MAX ? asked : ROUNDS_MAX;
    char path[300];
    size_t size = 0;
    snprintf(path, sizeof(path), "%s/dualmem-graph-speed-%ld", argc > 3 ? argv[3] : "/tmp", (long)getpid());
    test_random random = {1};
    graph_case made = graph_case_make(rows, DIM);
    float *queries = malloc(QUERIES * DIM * sizeof(float));
    REQUIRE(queries != NULL && rows >= 10 && count >= 1);
    graph_case_fill(&made, &random, INNER, CLUSTERS);
    for (uint32_t i = 0; i < QUERIES; i++) {
        graph_case_draw(&random, DIM, INNER, CLUSTERS, queries + i * DIM);
    }
    graph_case_open(&made, dm_graph_best(), 1);
    graph_case_build(&made, NULL);
    uint8_t *image = graph_case_image(&made, &size);
    graph_case_close(&made);
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL && fwrite(image, 1, size, file) == size && fclose(file) == 0);
    free(image);
    for (uint32_t i = 0; i < count; i++) {
        for (int turn = 0; turn < 2; turn++) {
            const int in_place = turn != (int)(i % 2);
            measure(&made, path, size, queries, in_place, rounds[i][in_place]);
        }
    }
    printf("%u rows of %d, image %.1f MB, %u rounds\n", rows, (int)DIM, (double)size / 1e6, count);
    report(rounds, count);
    (void)unlink(path);
    free(queries);
    graph_case_free(&made);
    return test_report();
}
