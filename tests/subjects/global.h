/* global.h: a library that uses a global of its own through its symbol table, as a careless one does. Two of them loaded with
 * RTLD_GLOBAL would share the first one's value; the metric shows whose it is. */
#include "table.h"

extern double subject_global;
__attribute__((visibility("default"))) double subject_global = GLOBAL_VALUE;

static int32_t read_global(dm_state *state, double *values, size_t count) {
    (void)state;
    values[0] = count > 0 ? subject_global : 0;
    return DM_OK;
}

static const dm_metric metrics[] = {
    {.size = sizeof(dm_metric), .name = "global", .unit = "1", .scope = DM_SCOPE_CASE, .meaning = "its own number"}};
static const dm_kernel kernel = {.size = sizeof(dm_kernel),
                                 .name = "spin",
                                 .variant = "plain",
                                 .metrics = metrics,
                                 .metric_count = 1,
                                 .setup = table_setup,
                                 .run = table_run,
                                 .read_metrics = read_global,
                                 .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
