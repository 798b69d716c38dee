/* whole_file.h: a file that is written whole or not at all: to a new file in the same folder (PATH.PID.N.tmp), flushed
 * to the disk, then renamed. Until then, and after a failure, an older file is as it was and no new one is left. */
#ifndef DUALMEM_STORE_WHOLE_FILE_H
#define DUALMEM_STORE_WHOLE_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dm_whole_file {
    int descriptor; /* of the temporary file, or -1 */
    int failure;    /* the first errno; the owner may set it, too: then nothing more is written */
    char name[PATH_MAX];
} dm_whole_file;

/* A temporary file beside `path`. A failure is noted; the calls that follow do nothing then. */
void dm_whole_file_open(dm_whole_file *file, const char *path);
void dm_whole_file_write(dm_whole_file *file, const void *bytes, size_t size, uint64_t offset);
/* Where nothing was written up to its end. */
void dm_whole_file_set_size(dm_whole_file *file, uint64_t size);
/* Gives it its name, or removes it after a failure, which is returned: an errno, or 0. */
int dm_whole_file_close(dm_whole_file *file, const char *path);

#endif
