/* workload_rows.h: real vectors for the programs that look at the workload `mixed` and are no tests. */
#ifndef DUALMEM_TESTS_WORKLOAD_ROWS_H
#define DUALMEM_TESTS_WORKLOAD_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dualmem/dm_workload.h"
#include "tests/support.h"

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

#endif
