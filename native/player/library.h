/* library.h: a library of workloads (dm_workload.h), opened and checked. */
#ifndef DUALMEM_PLAYER_LIBRARY_H
#define DUALMEM_PLAYER_LIBRARY_H

#include "dualmem/dm_workload.h"
#include "host/host.h"

typedef struct dmp_library dmp_library;

/* Loads the shared object at the absolute `path` and checks its whole table before anything of it is used. Refuses a
 * file that is one of `others` (same inode): the loader would map it once and compare it with itself. */
int32_t dmp_library_open(const char *path, dmp_library *const *others, size_t other_count, dmp_library **library,
                         char *error, size_t error_size);
void dmp_library_close(dmp_library *library); /* accepts NULL */

const dm_workload_library *dmp_library_table(const dmp_library *library);

/* Or NULL, and `error` names those that come nearest. */
const dm_workload *dmp_library_workload(const dmp_library *library, const char *name, const char *variant, char *error,
                                        size_t error_size);

/* An element of its operations. Their stride is the `size` that the library was compiled with, not ours. */
const dm_operation *dmp_operation_of(const dm_workload *workload, size_t index);

/* What a workload declares in the words of a kernel, so that the host's code for parameters, matrices and metrics
 * serves both. It has no setup and no run. */
dm_kernel dmp_as_kernel(const dm_workload *workload);

#endif
