/* open.c: loads a kernel library and believes nothing that it says before it was checked.
 *
 * A table comes from someone else's compiler and header version. Every struct states its size; a field is read only
 * after the size was seen to cover it. All fields of version 1.0 are required, so the smallest legal size is that
 * of 1.0 for ever; a field that 1.1 adds will be tested for where it is used. Wild pointers cannot be checked: they end
 * in the crash handler of the worker, in phase `open`. */
#include "host.h"

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
enum { KERNELS_MAX = 4096, DECLARATIONS_MAX = 256, NAME_MAX_BYTES = 64 };

/* Bytes up to and including the last field of version 1.0. */
#define SIZE_1_0(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

struct dmx_library {
    void *handle;
    const dm_library *table;
    dev_t device;
    ino_t inode;
};

int32_t dmx_refuse(char *error, size_t error_size, int32_t status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return status;
}

/* Names travel in the request, separated by spaces, and in file names. */
static bool is_name(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    if (text == NULL) {
        return false;
    }
    size_t length = strnlen(text, NAME_MAX_BYTES + 1);
    return length > 0 && length <= NAME_MAX_BYTES && strspn(text, allowed) == length;
}

#define NAME_RULE "is not a name (1 to 64 letters, digits, '_', '.', '+' or '-')"

static int32_t check_parameters(const dm_kernel *kernel, char *error, size_t error_size) {
    const char *name = kernel->name, *variant = kernel->variant;
    for (size_t i = 0; i < kernel->parameter_count; i++) {
        if (kernel->parameters->size < SIZE_1_0(dm_parameter, meaning)) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: dm_parameter.size is %zu, less than %zu; write .size = "
                              "sizeof(dm_parameter)",
                              name, variant, kernel->parameters->size, SIZE_1_0(dm_parameter, meaning));
        }
        const dm_parameter *parameter = dmx_kernel_parameter(kernel, i);
        if (parameter->size != kernel->parameters->size) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: parameter %zu states another size than parameter 0; "
                              "write .size = sizeof(dm_parameter) in each, and count them right",
                              name, variant, i);
        }
        if (!is_name(parameter->name)) {
            return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s: the name of parameter %zu " NAME_RULE,
                              name, variant, i);
        }
        if (!isfinite(parameter->minimum) || !isfinite(parameter->maximum) ||
            !(parameter->minimum <= parameter->default_value) || !(parameter->default_value <= parameter->maximum)) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: parameter %s has the default %g outside of its range %g "
                              "to %g",
                              name, variant, parameter->name, parameter->default_value, parameter->minimum,
                              parameter->maximum);
        }
        if (parameter->integer && parameter->default_value != floor(parameter->default_value)) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: parameter %s takes whole numbers, but its default is %g", name, variant,
                              parameter->name, parameter->default_value);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(dmx_kernel_parameter(kernel, j)->name, parameter->name) == 0) {
                return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s declares the parameter %s twice", name,
                                  variant, parameter->name);
            }
        }
    }
    return DM_OK;
}

static int32_t check_metrics(const dm_kernel *kernel, char *error, size_t error_size) {
    const char *name = kernel->name, *variant = kernel->variant;
    for (size_t i = 0; i < kernel->metric_count; i++) {
        if (kernel->metrics->size < SIZE_1_0(dm_metric, meaning)) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: dm_metric.size is %zu, less than %zu; write .size = "
                              "sizeof(dm_metric)",
                              name, variant, kernel->metrics->size, SIZE_1_0(dm_metric, meaning));
        }
        const dm_metric *metric = dmx_kernel_metric(kernel, i);
        if (metric->size != kernel->metrics->size) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: metric %zu states another size than metric 0; write .size = "
                              "sizeof(dm_metric) in each, and count them right",
                              name, variant, i);
        }
        if (!is_name(metric->name) || metric->unit == NULL) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: metric %zu has no unit, or its name " NAME_RULE, name, variant, i);
        }
        if (metric->better < DM_BETTER_NEITHER || metric->better > DM_BETTER_HIGHER || metric->scope < DM_SCOPE_CASE ||
            metric->scope > DM_SCOPE_MACHINE) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "kernel %s/%s: metric %s: `better` must be a DM_BETTER_... and `scope` a "
                              "DM_SCOPE_...",
                              name, variant, metric->name);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(dmx_kernel_metric(kernel, j)->name, metric->name) == 0) {
                return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s declares the metric %s twice", name,
                                  variant, metric->name);
            }
        }
    }
    return DM_OK;
}

static int32_t check_functions(const dm_kernel *kernel, char *error, size_t error_size) {
    const char *missing =
        kernel->setup == NULL                                             ? "setup"
        : kernel->run == NULL                                             ? "run"
        : kernel->teardown == NULL                                        ? "teardown"
        : kernel->metric_count > 0 && kernel->read_metrics == NULL        ? "read_metrics, but declares metrics"
        : kernel->output != DM_OUTPUT_NONE && kernel->read_output == NULL ? "read_output, but declares an output"
                                                                          : NULL;
    if (missing) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s has no %s", kernel->name, kernel->variant,
                          missing);
    }
    return DM_OK;
}

static int32_t check_kernel(const dm_library *table, size_t index, char *error, size_t error_size) {
    const dm_kernel *kernel = table->kernels[index];
    if (kernel == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %zu of the table is NULL; correct kernel_count",
                          index);
    }
    if (kernel->size < SIZE_1_0(dm_kernel, teardown)) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "kernel %zu: dm_kernel.size is %zu, less than %zu; write .size = "
                          "sizeof(dm_kernel)",
                          index, kernel->size, SIZE_1_0(dm_kernel, teardown));
    }
    if (!is_name(kernel->name) || !is_name(kernel->variant)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %zu: its name or its variant " NAME_RULE, index);
    }
    if (!isfinite(kernel->tolerance) || kernel->tolerance < 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s: the tolerance must be 0 or a positive number",
                          kernel->name, kernel->variant);
    }
    if (kernel->output < DM_OUTPUT_NONE || kernel->output > DM_OUTPUT_NEIGHBOURS) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s: output is %d, not a DM_OUTPUT_...",
                          kernel->name, kernel->variant, (int)kernel->output);
    }
    if (kernel->parameter_count > DECLARATIONS_MAX || kernel->metric_count > DECLARATIONS_MAX ||
        (kernel->parameter_count > 0 && kernel->parameters == NULL) ||
        (kernel->metric_count > 0 && kernel->metrics == NULL)) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "kernel %s/%s: parameter_count or metric_count does not fit its array (at most "
                          "%d)",
                          kernel->name, kernel->variant, DECLARATIONS_MAX);
    }
    int32_t status = check_functions(kernel, error, error_size);
    if (status == DM_OK) {
        status = check_parameters(kernel, error, error_size);
    }
    if (status == DM_OK) {
        status = check_metrics(kernel, error, error_size);
    }
    for (size_t j = 0; status == DM_OK && j < index; j++) {
        if (strcmp(table->kernels[j]->name, kernel->name) == 0 &&
            strcmp(table->kernels[j]->variant, kernel->variant) == 0) {
            return dmx_refuse(error, error_size, DMX_REFUSED, "kernel %s/%s is twice in the table", kernel->name,
                              kernel->variant);
        }
    }
    return status;
}

static int32_t check_table(const dm_library *table, char *error, size_t error_size) {
    if (table == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "dm_library_get() returned NULL");
    }
    if (table->size < SIZE_1_0(dm_library, abi_minor)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "dm_library.size is %zu; write .size = sizeof(dm_library)",
                          table->size);
    }
    /* Before anything else: under another major version no other field is where we look for it. */
    if (table->abi_major != DM_ABI_MAJOR) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "the library has kernel table version %u.%u, this dualmem reads %d.x; compile "
                          "the library against this dualmem's dm_kernel.h",
                          table->abi_major, table->abi_minor, DM_ABI_MAJOR);
    }
    if (table->size < SIZE_1_0(dm_library, kernel_count)) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "dm_library.size is %zu, less than %zu; write .size = sizeof(dm_library)", table->size,
                          SIZE_1_0(dm_library, kernel_count));
    }
    if (table->name == NULL || table->name[0] == '\0') {
        return dmx_refuse(error, error_size, DMX_REFUSED, "the library has no name");
    }
    if (table->kernels == NULL || table->kernel_count == 0 || table->kernel_count > KERNELS_MAX) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "the library has %zu kernels; 1 to %d can be used",
                          table->kernels ? table->kernel_count : 0, KERNELS_MAX);
    }
    for (size_t i = 0; i < table->kernel_count; i++) {
        int32_t status = check_kernel(table, i, error, error_size);
        if (status != DM_OK) {
            return status;
        }
    }
    return DM_OK;
}

static int32_t load(dmx_library *library, const char *path, char *error, size_t error_size) {
    /* NOW: no symbol may be resolved inside of a sample. LOCAL: two builds of one library must not see each other. */
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "cannot load the library: %s", dlerror());
    }
    void *symbol = dlsym(library->handle, "dm_library_get");
    if (symbol == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "%s exports no dm_library_get; is it a kernel library (dm_kernel.h)?", path);
    }
    const dm_library *(*get)(void);
    memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from an object pointer to a function pointer */
    library->table = get();
    char reason[DMX_ERROR_SIZE];
    int32_t status = check_table(library->table, reason, sizeof reason);
    return status == DM_OK ? DM_OK : dmx_refuse(error, error_size, status, "%s: %s", path, reason);
}

int32_t dmx_library_open(const char *path, dmx_library *const *others, size_t other_count, dmx_library **library,
                         char *error, size_t error_size) {
    *library = NULL;
    if (path[0] != '/') {
        return dmx_refuse(error, error_size, DMX_REFUSED, "the path of a library must be absolute: %s", path);
    }
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "cannot load the library %s: %s", path, strerror(errno));
    }
    for (size_t i = 0; i < other_count; i++) {
        if (others[i] != NULL && others[i]->device == facts.st_dev && others[i]->inode == facts.st_ino) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "%s is the same file as another library of this request, so it would be "
                              "compared with itself; give a copy (a link is not enough)",
                              path);
        }
    }
    dmx_library *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory");
    }
    opened->device = facts.st_dev;
    opened->inode = facts.st_ino;
    int32_t status = load(opened, path, error, error_size);
    /* The loader has rules of its own (a file that was replaced meanwhile, an absolute SONAME). */
    for (size_t i = 0; status == DM_OK && i < other_count; i++) {
        if (others[i] != NULL && others[i]->table == opened->table) {
            status = dmx_refuse(error, error_size, DMX_REFUSED,
                                "the loader took %s for a library that is already open; remove its "
                                "SONAME",
                                path);
        }
    }
    if (status != DM_OK) {
        dmx_library_close(opened);
        return status;
    }
    *library = opened;
    return DM_OK;
}

void dmx_library_close(dmx_library *library) {
    if (library == NULL) {
        return;
    }
    if (library->handle != NULL) {
        (void)dlclose(library->handle);
    }
    free(library);
}

const dm_library *dmx_library_table(const dmx_library *library) {
    return library->table;
}

const dm_kernel *dmx_library_kernel(const dmx_library *library, const char *name, const char *variant) {
    for (size_t i = 0; i < library->table->kernel_count; i++) {
        const dm_kernel *kernel = library->table->kernels[i];
        if (strcmp(kernel->name, name) == 0 && strcmp(kernel->variant, variant) == 0) {
            return kernel;
        }
    }
    return NULL;
}

const dm_parameter *dmx_kernel_parameter(const dm_kernel *kernel, size_t index) {
    return (const dm_parameter *)(const void *)((const char *)kernel->parameters + index * kernel->parameters->size);
}

const dm_metric *dmx_kernel_metric(const dm_kernel *kernel, size_t index) {
    return (const dm_metric *)(const void *)((const char *)kernel->metrics + index * kernel->metrics->size);
}

int32_t dmx_kernel_supported(const dm_kernel *kernel, char *reason, size_t reason_size) {
    reason[0] = '\0';
    if (kernel->supported == NULL) {
        return DM_OK;
    }
    int32_t status = kernel->supported(reason, reason_size);
    reason[reason_size - 1] = '\0';
    if (status != DM_OK && reason[0] == '\0') {
        (void)dmx_refuse(reason, reason_size, status, "this machine cannot run it (the library gives no reason)");
    }
    return status;
}
