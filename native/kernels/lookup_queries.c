/* lookup_queries.c: see lookup_queries.h. */
#include "kernels/lookup_queries.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/poison.h"

int32_t dm_lookup_queries_create(const dm_case *work, uint32_t k, dm_memory *account, dm_lookup_queries *queries,
                                 char *error,
                                 size_t error_size) {
    const size_t count = (size_t)work->queries.rows;
    queries->values = work->queries;
    queries->k = k;
    queries->order = dm_memory_allocate(account, count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    queries->compared = dm_memory_allocate(account, count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    queries->rescored = dm_memory_allocate(account, count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    queries->neighbours = dm_memory_allocate(account, count * k * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (queries->order == NULL || queries->compared == NULL || queries->rescored == NULL ||
        queries->neighbours == NULL) {
        snprintf(error, error_size, "no memory for the results of %zu queries; use fewer", count);
        return DM_ERROR_MEMORY;
    }
    dm_stored_case_shuffle(queries->order, (uint32_t)count, work->seed);
    return DM_OK;
}

void dm_lookup_queries_destroy(dm_lookup_queries *queries, dm_memory *account) {
    dm_memory_free(account, queries->order);
    dm_memory_free(account, queries->compared);
    dm_memory_free(account, queries->rescored);
    dm_memory_free(account, queries->neighbours);
    memset(queries, 0, sizeof(*queries));
}

double dm_lookup_queries_mean(const dm_lookup_queries *queries, const uint32_t *counts) {
    uint64_t sum = 0;
    for (uint64_t query = 0; query < queries->values.rows; query++) {
        if (queries->compared[query] == 0) {
            return (double)NAN;
        }
        sum += counts[query];
    }
    return (double)sum / (double)queries->values.rows;
}

int32_t dm_lookup_queries_read(const dm_lookup_queries *queries, double *values, size_t count, size_t *needed) {
    *needed = (size_t)queries->values.rows * queries->k;
    for (size_t i = 0; i < count && i < *needed; i++) {
        values[i] = (double)queries->neighbours[i];
    }
    return DM_OK;
}

int32_t dm_lookup_concepts(const dm_case *work, double asked, uint32_t k, uint64_t *concepts, char *error,
                           size_t error_size) {
    *concepts = asked == 0.0 ? work->data.rows : (uint64_t)asked;
    if (*concepts < k) {
        snprintf(error, error_size, "k is %u and there are %llu concepts; lower k or give more data", k,
                 (unsigned long long)*concepts);
        return DM_ERROR_ARGUMENT;
    }
    return DM_OK;
}

int32_t dm_lookup_write_file(const char *path, const void *bytes, size_t size, char *error, size_t error_size) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t written = 0;
    while (file >= 0 && written < size) {
        ssize_t part = write(file, (const uint8_t *)bytes + written, size - written);
        if (part <= 0) {
            break;
        }
        written += (size_t)part;
    }
    if (file < 0 || (close(file) != 0) | (written < size)) {
        snprintf(error, error_size, "%s: cannot write %zu bytes there; make room or choose another cache folder", path,
                 size);
        return DM_ERROR_IO;
    }
    return DM_OK;
}
