/* A parameter whose default lies outside of its own range. */
#include "table.h"

static const dm_parameter parameters[] = {{.size = sizeof(dm_parameter),
                                           .name = "k",
                                           .default_value = 500,
                                           .minimum = 1,
                                           .maximum = 100,
                                           .integer = 1,
                                           .meaning = "neighbours"}};
static const dm_kernel kernel = {.size = sizeof(dm_kernel),
                                 .name = "spin",
                                 .variant = "plain",
                                 .parameters = parameters,
                                 .parameter_count = 1,
                                 .setup = table_setup,
                                 .run = table_run,
                                 .teardown = table_teardown};
static const dm_kernel *const kernels[] = {&kernel};
TABLE_LIBRARY(0, kernels, 1)
