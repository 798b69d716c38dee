/* workloads.h: the rows that each workload's file contributes to the table (table.c).
 *
 * Not to be included beside kernels/workload.h, whose dm_workload is another thing: the store that kernels share. */
#ifndef DUALMEM_WORKLOADS_WORKLOADS_H
#define DUALMEM_WORKLOADS_WORKLOADS_H

#include "dualmem/dm_workload.h"

extern const dm_workload dm_mixed_dual;
extern const dm_workload dm_mixed_single;

#endif
