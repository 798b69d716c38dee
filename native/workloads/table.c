/* table.c: the workload table's one exported symbol. */
#include "build_facts.h"
#include "workloads/workloads.h"

static const dm_workload *const workloads[] = {&dm_mixed_dual, &dm_mixed_single};

static const dm_workload_library library = {
    .size = sizeof(dm_workload_library),
    .abi_major = DM_WORKLOAD_ABI_MAJOR,
    .abi_minor = DM_WORKLOAD_ABI_MINOR,
    .name = "libdualmem",
    .version = DM_BUILD_VERSION,
    .revision = DM_BUILD_REVISION,
    .workloads = workloads,
    .workload_count = sizeof(workloads) / sizeof(workloads[0]),
};

const dm_workload_library *dm_workload_library_get(void) {
    return &library;
}
