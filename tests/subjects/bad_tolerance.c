/* A tolerance that nothing could ever be within. */
#include "table.h"

static const dm_kernel kernel = {.size = sizeof(dm_kernel),
                                 .name = "spin",
                                 .variant = "plain",
                                 .tolerance = -1e-6,
                                 .setup = table_setup,
                                 .run = table_run,
                                 .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
