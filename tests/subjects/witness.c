/* Tells in its metrics what the host dealt it: the only way to see from outside that stack, placement, processor and
 * the order of set-up really change. The counter is mutable global data, which a real library must not have. */
#include "table.h"

#include <sched.h>
#include <unistd.h>

static unsigned setups;

static int32_t setup(const dm_case *work, dm_state **state, char *error, size_t error_size) {
    int32_t status = table_setup(work, state, error, error_size);
    if (status == DM_OK) {
        (*state)->parameters[0] = (double)work->placement;
        (*state)->parameters[1] = (double)sched_getcpu();
        (*state)->parameters[2] = (double)setups++;
        /* From a local up to the environment, which lies at the very top of the stack. */
        (*state)->parameters[3] = (double)((uintptr_t)environ[0] - (uintptr_t)&status);
    }
    return status;
}

#define METRIC(metric_name)     \
    {.size = sizeof(dm_metric), \
     .name = metric_name,       \
     .unit = "1",               \
     .scope = DM_SCOPE_MACHINE, \
     .meaning = "as seen in setup"}
static const dm_metric metrics[] = {METRIC("placement"), METRIC("processor"), METRIC("rank"), METRIC("stack")};
static const dm_kernel kernel = {.size = sizeof(dm_kernel),
                                 .name = "spin",
                                 .variant = "plain",
                                 .metrics = metrics,
                                 .metric_count = 4,
                                 .setup = setup,
                                 .run = table_run,
                                 .read_metrics = table_read_metrics,
                                 .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
