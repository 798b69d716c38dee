/* A kernel without run. */
#include "table.h"

static const dm_kernel kernel = {
    .size = sizeof(dm_kernel), .name = "spin", .variant = "plain", .setup = table_setup, .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
