/* arm.c: one arm, from the declared parameters to teardown. Nothing here is timed. */
#include "host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OUTPUT_MAX = 1 << 27 }; /* values, 1 GiB: more is a library's mistake, not an output */

static int32_t check_value(const dm_parameter *parameter, double value, char *error, size_t error_size) {
    if (!isfinite(value)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s: the value is not a number", parameter->name);
    }
    if (parameter->integer && value != floor(value)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s: %.15g is not a whole number", parameter->name, value);
    }
    if (value < parameter->minimum) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s: %.15g is below the minimum %.15g", parameter->name,
                          value, parameter->minimum);
    }
    if (value > parameter->maximum) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s: %.15g is above the maximum %.15g", parameter->name,
                          value, parameter->maximum);
    }
    return DM_OK;
}

static int32_t fill_parameters(dmx_arm *arm, const dmx_inputs *inputs, char *error, size_t error_size) {
    for (size_t i = 0; i < arm->kernel->parameter_count; i++) {
        const dm_parameter *parameter = dmx_kernel_parameter(arm->kernel, i);
        arm->parameters[i] = parameter->default_value;
        for (size_t j = 0; j < inputs->setting_count; j++) {
            if (strcmp(inputs->settings[j].name, parameter->name) != 0) {
                continue;
            }
            int32_t status = check_value(parameter, inputs->settings[j].value, error, error_size);
            if (status != DM_OK) {
                return status;
            }
            arm->parameters[i] = inputs->settings[j].value;
        }
    }
    return DM_OK;
}

static int32_t check_matrices(const dm_kernel *kernel, const dmx_inputs *inputs, char *error, size_t error_size) {
    if (kernel->needs_data && (inputs->data.columns == 0 || inputs->data.rows == 0)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s/%s needs data, but no data is given", kernel->name,
                          kernel->variant);
    }
    if (kernel->needs_data && inputs->queries.columns == 0) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "%s/%s needs queries beside its data (a matrix without rows will do if it looks "
                          "nothing up)",
                          kernel->name, kernel->variant);
    }
    if (inputs->data.columns != 0 && inputs->queries.columns != 0 && inputs->data.columns != inputs->queries.columns) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "the data has %llu columns, the queries have %llu; they must agree",
                          (unsigned long long)inputs->data.columns, (unsigned long long)inputs->queries.columns);
    }
    return DM_OK;
}

int32_t dmx_arm_open(dmx_arm *arm, const dm_kernel *kernel, const dmx_inputs *inputs, char *error, size_t error_size) {
    *arm = (dmx_arm){.kernel = kernel};
    arm->parameters = calloc(kernel->parameter_count + 1, sizeof *arm->parameters);
    if (arm->parameters == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory");
    }
    int32_t status = fill_parameters(arm, inputs, error, error_size);
    if (status == DM_OK) {
        status = check_matrices(kernel, inputs, error, error_size);
    }
    if (status != DM_OK) {
        dmx_arm_close(arm);
        return status;
    }
    arm->work = (dm_case){.size = sizeof(dm_case),
                          .seed = inputs->seed,
                          .parameters = arm->parameters,
                          .parameter_count = kernel->parameter_count,
                          .data = inputs->data,
                          .queries = inputs->queries,
                          .placement = inputs->placement};
    return DM_OK;
}

/* A library's sentence, made safe to use: ended, and there. */
static int32_t settle(int32_t status, const char *call, const dm_kernel *kernel, char *error, size_t error_size) {
    error[error_size - 1] = '\0';
    if (status != DM_OK && error[0] == '\0') {
        (void)dmx_refuse(error, error_size, status, "%s of %s/%s failed with status %d and without a reason", call,
                         kernel->name, kernel->variant, (int)status);
    }
    return status;
}

int32_t dmx_arm_prepare(dmx_arm *arm, const char *path, char *error, size_t error_size) {
    if (arm->kernel->prepare == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s/%s has nothing to prepare", arm->kernel->name,
                          arm->kernel->variant);
    }
    error[0] = '\0';
    int32_t status =
        settle(arm->kernel->prepare(&arm->work, path, error, error_size), "prepare", arm->kernel, error, error_size);
    struct stat facts;
    if (status == DM_OK && (stat(path, &facts) != 0 || facts.st_size == 0)) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "prepare of %s/%s reported success but wrote nothing to %s",
                          arm->kernel->name, arm->kernel->variant, path);
    }
    return status;
}

int32_t dmx_arm_use_prepared(dmx_arm *arm, const char *path, char *error, size_t error_size) {
    if (arm->kernel->prepare == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "%s/%s has no prepare and takes no prepared file",
                          arm->kernel->name, arm->kernel->variant);
    }
    dmx_file_unmap(&arm->prepared);
    int32_t status = dmx_file_map(path, &arm->prepared, error, error_size);
    arm->work.prepared = arm->prepared.bytes;
    arm->work.prepared_size = arm->prepared.size;
    return status;
}

int32_t dmx_arm_setup(dmx_arm *arm, char *error, size_t error_size) {
    if (arm->kernel->prepare != NULL && arm->work.prepared == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "%s/%s needs the file that its prepare writes, and none is given", arm->kernel->name,
                          arm->kernel->variant);
    }
    error[0] = '\0';
    int32_t status =
        settle(arm->kernel->setup(&arm->work, &arm->state, error, error_size), "setup", arm->kernel, error, error_size);
    if (status != DM_OK) {
        arm->state = NULL; /* by contract; a library that leaves rubbish here must not have it torn down */
    } else if (arm->state == NULL) {
        return dmx_refuse(error, error_size, DMX_REFUSED, "setup of %s/%s reported success but made no state",
                          arm->kernel->name, arm->kernel->variant);
    }
    return status;
}

uint64_t dmx_arm_run(dmx_arm *arm, uint64_t iterations) {
    return arm->kernel->run(arm->state, iterations);
}

int32_t dmx_arm_output(dmx_arm *arm, double **values, size_t *count, char *error, size_t error_size) {
    *values = NULL;
    *count = 0;
    if (arm->kernel->output == DM_OUTPUT_NONE) {
        return DM_OK;
    }
    size_t needed = 0, written = 0;
    error[0] = '\0';
    int32_t status =
        settle(arm->kernel->read_output(arm->state, NULL, 0, &needed), "read_output", arm->kernel, error, error_size);
    if (status != DM_OK || needed == 0) {
        return status;
    }
    if (needed > OUTPUT_MAX) {
        return dmx_refuse(error, error_size, DMX_REFUSED,
                          "read_output of %s/%s wants to return %zu values; at most %d can be compared",
                          arm->kernel->name, arm->kernel->variant, needed, OUTPUT_MAX);
    }
    double *read = malloc(needed * sizeof *read);
    if (read == NULL) {
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for an output of %zu values", needed);
    }
    /* Values that the library leaves out must not compare as equal by accident. */
    for (size_t i = 0; i < needed; i++) {
        read[i] = NAN;
    }
    status = settle(arm->kernel->read_output(arm->state, read, needed, &written), "read_output", arm->kernel, error,
                    error_size);
    if (status == DM_OK && written != needed) {
        status = dmx_refuse(error, error_size, DMX_REFUSED, "read_output of %s/%s announced %zu values, then %zu",
                            arm->kernel->name, arm->kernel->variant, needed, written);
    }
    if (status != DM_OK) {
        free(read);
        return status;
    }
    *values = read;
    *count = needed;
    return DM_OK;
}

int32_t dmx_arm_metrics(dmx_arm *arm, double *values, char *error, size_t error_size) {
    for (size_t i = 0; i < arm->kernel->metric_count; i++) {
        values[i] = NAN;
    }
    if (arm->kernel->metric_count == 0) {
        return DM_OK;
    }
    error[0] = '\0';
    return settle(arm->kernel->read_metrics(arm->state, values, arm->kernel->metric_count), "read_metrics", arm->kernel,
                  error, error_size);
}

void dmx_arm_close(dmx_arm *arm) {
    if (arm->state != NULL) {
        arm->kernel->teardown(arm->state);
    }
    dmx_file_unmap(&arm->prepared);
    free(arm->parameters);
    *arm = (dmx_arm){0};
}

void dmx_release(void *memory) {
    free(memory);
}
