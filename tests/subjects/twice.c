/* The same name and variant twice: which one would be measured? */
#include "table.h"

static const dm_kernel kernel = {.size = sizeof(dm_kernel),
                                 .name = "spin",
                                 .variant = "plain",
                                 .setup = table_setup,
                                 .run = table_run,
                                 .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel, &kernel};
TABLE_LIBRARY(0, kernels, 2)
