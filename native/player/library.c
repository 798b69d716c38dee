/* library.c: loads a library of workloads and believes nothing that it says before it was checked, as host/open.c does
 * with kernels: a field is read only after the size was seen to cover it. */
#include "library.h"

#include "names.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Far above any real table; below what a garbage count would be. */
enum { WORKLOADS_MAX = 4096, DECLARATIONS_MAX = 256 };

/* Bytes up to and including the last field of version 1.0. */
#define SIZE_1_0(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

struct dmp_library {
    void *handle;
    const dm_workload_library *table;
    dev_t device;
    ino_t inode;
};

/* The workload that is being checked, and where its sentence goes. */
typedef struct check {
    const dm_workload *workload;
    char *error;
    size_t error_size;
} check;

__attribute__((format(printf, 2, 3))) static int32_t refuse(const check *on, const char *format, ...) {
    char reason[DMX_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return dmx_refuse(on->error, on->error_size, DMX_REFUSED, "workload %s/%s: %s", on->workload->name,
                      on->workload->variant, reason);
}

const dm_operation *dmp_operation_of(const dm_workload *workload, size_t index) {
    return (const dm_operation *)(const void *)((const char *)workload->operations +
                                                index * workload->operations->size);
}

dm_kernel dmp_as_kernel(const dm_workload *workload) {
    return (dm_kernel){.size = sizeof(dm_kernel),
                       .name = workload->name,
                       .variant = workload->variant,
                       .summary = workload->summary,
                       .needs_data = workload->needs_data,
                       .parameters = workload->parameters,
                       .parameter_count = workload->parameter_count,
                       .metrics = workload->metrics,
                       .metric_count = workload->metric_count,
                       .supported = workload->supported,
                       .read_metrics = workload->read_metrics,
                       .teardown = workload->teardown};
}

/* What parameters, metrics and operations have in common: each begins with its size and its name. */
typedef struct declared {
    size_t size;
    const char *name;
} declared;

_Static_assert(offsetof(dm_parameter, name) == offsetof(declared, name) &&
                   offsetof(dm_metric, name) == offsetof(declared, name) &&
                   offsetof(dm_operation, name) == offsetof(declared, name),
               "size and name come first");

static int32_t check_declared(const check *on, const char *what, const void *items, size_t count, size_t smallest) {
    if (count > DECLARATIONS_MAX || (count > 0 && items == NULL)) {
        return refuse(on, "%zu %ss do not fit their array (at most %d)", count, what, DECLARATIONS_MAX);
    }
    const size_t stride = count > 0 ? ((const declared *)items)->size : 0;
    for (size_t i = 0; i < count; i++) {
        const declared *item = (const declared *)(const void *)((const char *)items + i * stride);
        if (item->size < smallest || item->size != stride) {
            return refuse(on, "%s %zu states the size %zu; write .size = sizeof(dm_%s) in each, and count them right",
                          what, i, item->size, what);
        }
        if (!dmp_is_name(item->name)) {
            return refuse(on, "the name of %s %zu " DMP_NAME_RULE, what, i);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(((const declared *)(const void *)((const char *)items + j * stride))->name, item->name) == 0) {
                return refuse(on, "it declares the %s %s twice", what, item->name);
            }
        }
    }
    return DM_OK;
}

static int32_t check_ranges(const check *on) {
    const dm_kernel kernel = dmp_as_kernel(on->workload);
    for (size_t i = 0; i < kernel.parameter_count; i++) {
        const dm_parameter *parameter = dmx_kernel_parameter(&kernel, i);
        const double value = parameter->default_value;
        if (!isfinite(parameter->minimum) || !isfinite(parameter->maximum) || !(parameter->minimum <= value) ||
            !(value <= parameter->maximum) || (parameter->integer && value != floor(value))) {
            return refuse(on, "parameter %s: the default %g is not a value of its range %g to %g%s", parameter->name,
                          value, parameter->minimum, parameter->maximum, parameter->integer ? " of whole numbers" : "");
        }
    }
    for (size_t i = 0; i < kernel.metric_count; i++) {
        const dm_metric *metric = dmx_kernel_metric(&kernel, i);
        if (metric->unit == NULL || metric->better < DM_BETTER_NEITHER || metric->better > DM_BETTER_HIGHER ||
            metric->scope < DM_SCOPE_CASE || metric->scope > DM_SCOPE_MACHINE) {
            return refuse(on, "metric %s needs a unit, a DM_BETTER_... and a DM_SCOPE_...", metric->name);
        }
    }
    for (size_t i = 0; i < on->workload->operation_count; i++) {
        const dm_operation *operation = dmp_operation_of(on->workload, i);
        if (operation->key < DM_KEY_NONE || operation->key > DM_KEY_DATA || operation->inserts < DM_KEY_NONE ||
            operation->inserts > DM_KEY_DATA) {
            return refuse(on, "operation %s: `key` and `inserts` must be a DM_KEY_...", operation->name);
        }
    }
    return DM_OK;
}

static int32_t check_functions(const check *on) {
    const dm_workload *workload = on->workload;
    const char *missing = workload->setup == NULL      ? "setup"
                          : workload->operate == NULL  ? "operate"
                          : workload->teardown == NULL ? "teardown"
                          : workload->metric_count > 0 && workload->read_metrics == NULL
                              ? "read_metrics, but declares metrics"
                          : workload->operation_count == 0 ? "operations"
                                                           : NULL;
    return missing == NULL ? DM_OK : refuse(on, "it has no %s", missing);
}

static int32_t check_workload(const dm_workload_library *table, size_t index, char *error, size_t error_size) {
    const dm_workload *workload = table->workloads[index];
    if (workload == NULL || workload->size < SIZE_1_0(dm_workload, teardown)) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          workload == NULL ? "workload %zu of the table is NULL; correct workload_count"
                                           : "workload %zu states too small a size; write .size = sizeof(dm_workload)",
                          index);
    }
    if (!dmp_is_name(workload->name) || !dmp_is_name(workload->variant)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "workload %zu: its name or its variant " DMP_NAME_RULE,
                          index);
    }
    const check on = {workload, error, error_size};
    int32_t status = check_functions(&on);
    if (status == DM_OK) {
        status = check_declared(&on, "parameter", workload->parameters, workload->parameter_count,
                                SIZE_1_0(dm_parameter, meaning));
    }
    if (status == DM_OK) {
        status = check_declared(&on, "metric", workload->metrics, workload->metric_count, SIZE_1_0(dm_metric, meaning));
    }
    if (status == DM_OK) {
        status = check_declared(&on, "operation", workload->operations, workload->operation_count,
                                SIZE_1_0(dm_operation, inserts));
    }
    if (status == DM_OK) {
        status = check_ranges(&on);
    }
    for (size_t j = 0; status == DM_OK && j < index; j++) {
        if (strcmp(table->workloads[j]->name, workload->name) == 0 &&
            strcmp(table->workloads[j]->variant, workload->variant) == 0) {
            status = refuse(&on, "it is twice in the table");
        }
    }
    return status;
}

static int32_t check_table(const dm_workload_library *table, char *error, size_t error_size) {
    if (table == NULL || table->size < SIZE_1_0(dm_workload_library, workload_count)) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          table == NULL
                              ? "dm_workload_library_get() returned NULL"
                              : "the table states too small a size; write .size = sizeof(dm_workload_library)");
    }
    if (table->abi_major != DM_WORKLOAD_ABI_MAJOR) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "it was built for version %u of dm_workload.h, this player for version %d", table->abi_major,
                          DM_WORKLOAD_ABI_MAJOR);
    }
    if (table->name == NULL || table->name[0] == '\0') {
        return dmx_refuse(error, error_size, DMX_REFUSED, "the library has no name");
    }
    if (table->workloads == NULL || table->workload_count == 0 || table->workload_count > WORKLOADS_MAX) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "the library has %zu workloads; 1 to %d can be used",
                          table->workloads ? table->workload_count : 0, WORKLOADS_MAX);
    }
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < table->workload_count; i++) {
        status = check_workload(table, i, error, error_size);
    }
    return status;
}

static int32_t load(dmp_library *library, const char *path, char *error, size_t error_size) {
    /* NOW: no symbol may be resolved inside of an operation. LOCAL: two builds of one library must not see each other.
     */
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "cannot load the library: %s", dlerror());
    }
    void *symbol = dlsym(library->handle, "dm_workload_library_get");
    if (symbol == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "%s exports no dm_workload_library_get; has it workloads (dm_workload.h)?", path);
    }
    const dm_workload_library *(*get)(void);
    memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from an object pointer to a function pointer */
    library->table = get();
    char reason[DMX_ERROR_SIZE];
    int32_t status = check_table(library->table, reason, sizeof reason);
    return status == DM_OK ? DM_OK : dmx_refuse(error, error_size, status, "%s: %s", path, reason);
}

/* By its inode before it is loaded; by its table afterwards, because the loader has rules of its own (an absolute
 * SONAME). */
static bool is_same(const dmp_library *a, const dmp_library *b) {
    return (a->device == b->device && a->inode == b->inode) || (a->table != NULL && a->table == b->table);
}

static int32_t check_others(const dmp_library *library, dmp_library *const *others, size_t other_count,
                            const char *path, char *error, size_t error_size) {
    for (size_t i = 0; i < other_count; i++) {
        if (others[i] != NULL && is_same(library, others[i])) {
            return dmx_refuse(
                error, error_size, DMX_REFUSED,
                "%s is to the loader the same file as another library of this request, so it would be compared with "
                "itself; give a copy (a link is not enough) without a SONAME",
                path);
        }
    }
    return DM_OK;
}

int32_t dmp_library_open(const char *path, dmp_library *const *others, size_t other_count, dmp_library **library,
                         char *error, size_t error_size) {
    *library = NULL;
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "cannot load the library %s: %s", path, strerror(errno));
    }
    dmp_library *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory");
    }
    opened->device = facts.st_dev;
    opened->inode = facts.st_ino;
    int32_t status = check_others(opened, others, other_count, path, error, error_size);
    if (status == DM_OK) {
        status = load(opened, path, error, error_size);
    }
    if (status == DM_OK) {
        status = check_others(opened, others, other_count, path, error, error_size);
    }
    if (status != DM_OK) {
        dmp_library_close(opened);
        return status;
    }
    *library = opened;
    return DM_OK;
}

void dmp_library_close(dmp_library *library) {
    if (library == NULL) {
        return;
    }
    if (library->handle != NULL) {
        (void)dlclose(library->handle);
    }
    free(library);
}

const dm_workload_library *dmp_library_table(const dmp_library *library) {
    return library->table;
}

/* "a, b, c": the nearest of the table, as name/variant. */
static void list_nearest(const dm_workload_library *table, const char *wanted, char *text, size_t size) {
    enum { BYTES = 2 * DMP_NAME_BYTES + 2 };
    char (*joined)[BYTES] = calloc(table->workload_count, sizeof *joined);
    const char **names = calloc(table->workload_count, sizeof *names);
    (void)snprintf(text, size, "others");
    for (size_t i = 0; joined != NULL && names != NULL && i < table->workload_count; i++) {
        (void)snprintf(joined[i], BYTES, "%s/%s", table->workloads[i]->name, table->workloads[i]->variant);
        names[i] = joined[i];
    }
    if (joined != NULL && names != NULL) {
        dmp_nearest(wanted, names, table->workload_count, text, size);
    }
    free(joined);
    free((void *)names);
}

const dm_workload *dmp_library_workload(const dmp_library *library, const char *name, const char *variant, char *error,
                                        size_t error_size) {
    for (size_t i = 0; i < library->table->workload_count; i++) {
        const dm_workload *workload = library->table->workloads[i];
        if (strcmp(workload->name, name) == 0 && strcmp(workload->variant, variant) == 0) {
            return workload;
        }
    }
    char wanted[256], nearest[512];
    (void)snprintf(wanted, sizeof wanted, "%s/%s", name, variant);
    list_nearest(library->table, wanted, nearest, sizeof nearest);
    (void)dmx_refuse(error, error_size, DMX_REFUSED, "the library %s has no workload %s; it has %s",
                     library->table->name, wanted, nearest);
    return NULL;
}
