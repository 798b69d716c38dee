/* A table of workloads with the defect that the environment variable DEFECT names; without one it is right. */
#include "dualmem/dm_workload.h"

#include <stdlib.h>
#include <string.h>

static int32_t setup(const dm_case *work, uint32_t threads, dm_state **state, char *error, size_t error_size) {
    (void)work, (void)threads, (void)state, (void)error, (void)error_size;
    return DM_ERROR_UNSUPPORTED;
}

static int32_t operate(dm_state *state, uint32_t thread, uint32_t operation, uint64_t key, uint64_t *result) {
    (void)state, (void)thread, (void)operation, (void)key, (void)result;
    return DM_OK;
}

static int32_t read_metrics(dm_state *state, double *values, size_t count) {
    (void)state, (void)values, (void)count;
    return DM_OK;
}

static void teardown(dm_state *state) {
    (void)state;
}

static dm_parameter parameter = {.size = sizeof(dm_parameter), .name = "p", .maximum = 1};
static dm_metric metric = {.size = sizeof(dm_metric), .name = "m", .unit = "1"};
static dm_operation operations[] = {{.size = sizeof(dm_operation), .name = "a"},
                                    {.size = sizeof(dm_operation), .name = "b"}};

#define WORKLOAD(given_variant)                                                                                        \
    {.size = sizeof(dm_workload),                                                                                      \
     .name = "wrong",                                                                                                  \
     .variant = given_variant,                                                                                         \
     .parameters = &parameter,                                                                                         \
     .parameter_count = 1,                                                                                             \
     .metrics = &metric,                                                                                               \
     .metric_count = 1,                                                                                                \
     .operations = operations,                                                                                         \
     .operation_count = 2,                                                                                             \
     .setup = setup,                                                                                                   \
     .operate = operate,                                                                                               \
     .read_metrics = read_metrics,                                                                                     \
     .teardown = teardown}
static dm_workload one = WORKLOAD("one"), two = WORKLOAD("two");
static const dm_workload *workloads[] = {&one, &two};
static dm_workload_library library = {.size = sizeof library,
                                      .abi_major = DM_WORKLOAD_ABI_MAJOR,
                                      .name = "wrong",
                                      .version = "1",
                                      .workloads = workloads,
                                      .workload_count = 2};

const dm_workload_library *dm_workload_library_get(void) {
    const char *named = getenv("DEFECT"), *defect = named ? named : "";
#define IF(text, change)                                                                                               \
    if (strcmp(defect, text) == 0) {                                                                                   \
        change;                                                                                                        \
    }
    IF("null_table", return NULL)
    IF("old_table", library.size -= 8)
    IF("major", library.abi_major++)
    IF("no_name", library.name = "")
    IF("no_workloads", library.workloads = NULL)
    IF("null_workload", workloads[1] = NULL)
    IF("no_size", one.size = 0)
    IF("bad_name", one.variant = "o ne")
    IF("twice", two.variant = "one")
    IF("no_operate", one.operate = NULL)
    IF("no_operations", one.operation_count = 0)
    IF("no_metrics", one.read_metrics = NULL)
    IF("operation_size", operations[1].size = 0)
    IF("operation_name", operations[1].name = "\"")
    IF("operation_twice", operations[1].name = "a")
    IF("operation_key", operations[1].key = 6)
    IF("range", parameter.default_value = 2)
    IF("unit", metric.unit = NULL)
    return &library;
}
