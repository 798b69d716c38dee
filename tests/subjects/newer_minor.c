/* Compiled against a later 1.x header, in which every struct has grown at its end. A host that walks the arrays with
 * its own sizeof reads rubbish from the second element on. The metrics return the parameters, so a test sees which were
 * read. */
#include "table.h"

typedef struct newer_parameter {
    dm_parameter base;
    double step;
} newer_parameter;

typedef struct newer_metric {
    dm_metric base;
    const char *group;
} newer_metric;

typedef struct newer_kernel {
    dm_kernel base;
    int32_t (*reset)(dm_state *state);
} newer_kernel;

#define PARAMETER(parameter_name, value)       \
    {.base = {.size = sizeof(newer_parameter), \
              .name = parameter_name,          \
              .default_value = value,          \
              .minimum = 0,                    \
              .maximum = 1000,                 \
              .integer = 0,                    \
              .meaning = "a number"},          \
     .step = -1}
static const newer_parameter parameters[] = {PARAMETER("first", 1.5), PARAMETER("second", 2.5),
                                             PARAMETER("third", 3.5)};

#define METRIC(metric_name)                         \
    {.base = {.size = sizeof(newer_metric),         \
              .name = metric_name,                  \
              .unit = "1",                          \
              .better = DM_BETTER_HIGHER,           \
              .scope = DM_SCOPE_CASE,               \
              .meaning = "what the parameter was"}, \
     .group = "later"}
static const newer_metric metrics[] = {METRIC("first"), METRIC("second"), METRIC("third")};

static const newer_kernel kernel = {.base = {.size = sizeof(newer_kernel),
                                             .name = "spin",
                                             .variant = "plain",
                                             .summary = "one count",
                                             .parameters = &parameters[0].base,
                                             .parameter_count = 3,
                                             .metrics = &metrics[0].base,
                                             .metric_count = 3,
                                             .setup = table_setup,
                                             .run = table_run,
                                             .read_metrics = table_read_metrics,
                                             .teardown = table_teardown}};
static const dm_kernel *const kernels[] = {&kernel.base};
TABLE_LIBRARY(7, kernels, 1)
