/* workload_rows.h: real vectors for the programs that look at the workload `mixed` and are no tests. */
#ifndef DUALMEM_TESTS_WORKLOAD_ROWS_H
#define DUALMEM_TESTS_WORKLOAD_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_workload.h"
#include "tests/support.h"
#include "workloads/mixed.h"

/* A file of float32 rows; the values are to be freed. */
static inline dm_matrix read_rows(const char *path, uint64_t rows, uint64_t columns) {
    const uint64_t stride = (columns + 15) / 16 * 16;
    float *values = aligned_alloc(64, rows * stride * sizeof(float));
    FILE *file = fopen(path, "rb");
    REQUIRE(values != NULL && file != NULL);
    memset(values, 0, rows * stride * sizeof(float));
    for (uint64_t row = 0; row < rows; row++) {
        REQUIRE(fread(values + row * stride, sizeof(float), columns, file) == columns);
    }
    fclose(file);
    return (dm_matrix){values, rows, columns, stride};
}

/* Of the arguments DATA ROWS QUERIES ROWS COLUMNS. parameters: DM_MIXED_PARAMETERS of them. */
static inline dm_case read_case(char **argv, const double *parameters) {
    const uint64_t columns = strtoull(argv[5], NULL, 10);
    return (dm_case){.size = sizeof(dm_case),
                     .seed = 1,
                     .parameters = parameters,
                     .parameter_count = DM_MIXED_PARAMETERS,
                     .data = read_rows(argv[1], strtoull(argv[2], NULL, 10), columns),
                     .queries = read_rows(argv[3], strtoull(argv[4], NULL, 10), columns)};
}

static inline void free_case(const dm_case *work) {
    free((void *)(uintptr_t)work->data.values);
    free((void *)(uintptr_t)work->queries.values);
}

#endif
