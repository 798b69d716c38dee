/* Forgot .size: nothing may be read of this kernel. */
#include "table.h"

static const dm_kernel kernel = {
    .name = "spin", .variant = "plain", .setup = table_setup, .run = table_run, .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
