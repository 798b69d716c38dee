/* matrix.c: maps input files read-only. Nothing of a file is copied: its pages are the page cache's, shared by all
 * workers. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t rows;
    uint64_t columns;
    uint64_t stride; /* floats */
    char padding[24];
} header;

_Static_assert(sizeof(header) == 64, "rows begin at byte 64 of the file");

int32_t dmx_file_map(const char *path, dmx_file *file, char *error, size_t error_size) {
    *file = (dmx_file){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return dmx_refuse(error, error_size, DM_ERROR_IO, "cannot open %s: %s", path, strerror(errno));
    }
    struct stat facts;
    int32_t status = DM_OK;
    if (fstat(descriptor, &facts) != 0) {
        status = dmx_refuse(error, error_size, DM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    } else if (!S_ISREG(facts.st_mode) || facts.st_size <= 0) {
        status = dmx_refuse(error, error_size, DM_ERROR_IO, "%s is %s", path,
                            S_ISREG(facts.st_mode) ? "empty" : "not a file");
    }
    if (status == DM_OK) {
        /* POPULATE: kernels read the data in place, so a first touch must not happen inside of a sample. */
        void *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, descriptor, 0);
        if (bytes == MAP_FAILED) {
            status = dmx_refuse(error, error_size, DM_ERROR_IO, "cannot map %s: %s", path, strerror(errno));
        } else {
            *file = (dmx_file){bytes, (size_t)facts.st_size};
        }
    }
    (void)close(descriptor);
    return status;
}

void dmx_file_unmap(dmx_file *file) {
    if (file->bytes != NULL) {
        (void)munmap((void *)(uintptr_t)file->bytes, file->size);
    }
    *file = (dmx_file){0};
}

static int32_t read_header(const char *path, const dmx_file *file, dm_matrix *matrix, char *error, size_t error_size) {
    header head;
    if (file->size < sizeof head || memcmp(file->bytes, "DMMATRIX", 8) != 0) {
        return dmx_refuse(error, error_size, DM_ERROR_CORRUPT,
                          "%s is not a matrix file: it does not begin with DMMATRIX", path);
    }
    memcpy(&head, file->bytes, sizeof head);
    if (head.version != 1) {
        return dmx_refuse(error, error_size, DM_ERROR_CORRUPT, "%s has matrix version %u; version 1 can be read", path,
                          head.version);
    }
    if (head.columns == 0 || head.columns > head.stride || head.stride % 16 != 0 || head.stride > UINT32_MAX) {
        return dmx_refuse(error, error_size, DM_ERROR_CORRUPT,
                          "%s: %llu columns do not fit a stride of %llu floats (a multiple of 16, at "
                          "least the columns)",
                          path, (unsigned long long)head.columns, (unsigned long long)head.stride);
    }
    uint64_t bytes = 0; /* of the rows */
    if (__builtin_mul_overflow(head.rows, head.stride * sizeof(float), &bytes) || bytes != file->size - sizeof head) {
        return dmx_refuse(error, error_size, DM_ERROR_CORRUPT,
                          "%s is %zu bytes long, but %llu rows of %llu floats are not; it was cut off "
                          "or damaged",
                          path, file->size, (unsigned long long)head.rows, (unsigned long long)head.stride);
    }
    const float *values = (const float *)(const void *)((const char *)file->bytes + sizeof head);
    *matrix = (dm_matrix){head.rows > 0 ? values : NULL, head.rows, head.columns, head.stride};
    return DM_OK;
}

int32_t dmx_matrix_map(const char *path, dmx_file *file, dm_matrix *matrix, char *error, size_t error_size) {
    int32_t status = dmx_file_map(path, file, error, error_size);
    if (status == DM_OK) {
        status = read_header(path, file, matrix, error, error_size);
    }
    if (status != DM_OK) {
        dmx_file_unmap(file);
    }
    return status;
}
