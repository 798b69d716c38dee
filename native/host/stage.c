/* stage.c: everything up to the point where kernels can run: pinning, libraries, inputs, states. */
#include "report.h"
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int32_t dmx_pin(dmx_worker *self) {
    if (!self->request->pinned) {
        return DM_OK;
    }
    const size_t cpu = self->request->cpu;
    cpu_set_t *set = CPU_ALLOC(cpu + 1);
    if (set == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
    }
    const size_t size = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S(cpu, size, set);
    int result = sched_setaffinity(0, size, set);
    CPU_FREE(set);
    if (result != 0) {
        return dmx_refuse(ERROR(self), DMX_REFUSED,
                          "cannot run on processor %zu: %s; `taskset -p $$` shows which ones are allowed here", cpu,
                          strerror(errno));
    }
    return DM_OK;
}

static int32_t open_library(dmx_worker *self, size_t index, int arm) {
    dmx_phase(self, "open", arm);
    if (self->libraries[index] != NULL) {
        return DM_OK;
    }
    return dmx_library_open(self->request->libraries[index], self->libraries, self->request->library_count,
                            &self->libraries[index], ERROR(self));
}

int32_t dmx_describe(dmx_worker *self) {
    for (size_t i = 0; i < self->request->library_count; i++) {
        int32_t status = open_library(self, i, -1);
        if (status != DM_OK) {
            return status;
        }
        dmx_phase(self, "supported", -1);
        const dm_library *table = dmx_library_table(self->libraries[i]);
        char **reasons = calloc(table->kernel_count, sizeof *reasons);
        for (size_t k = 0; reasons != NULL && k < table->kernel_count; k++) {
            if (dmx_kernel_supported(table->kernels[k], ERROR(self)) != DM_OK) {
                reasons[k] = strdup(self->error);
            }
        }
        if (reasons == NULL) {
            return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
        }
        dmx_report_library(self->answer, self->request->libraries[i], self->libraries[i], reasons);
        for (size_t k = 0; k < table->kernel_count; k++) {
            free(reasons[k]);
        }
        free(reasons);
    }
    return DM_OK;
}

/* A name that nothing declares is a mistake. `prepare` does not ask: it serves one arm of a case, and another arm of that
 * case may be the one that declares it. */
static int32_t check_settings(dmx_worker *self) {
    for (size_t i = 0; i < self->request->setting_count; i++) {
        bool declared = false;
        for (size_t a = 0; a < self->arm_count; a++) {
            for (size_t p = 0; p < self->kernels[a]->parameter_count; p++) {
                declared = declared || strcmp(dmx_kernel_parameter(self->kernels[a], p)->name,
                                              self->request->settings[i].name) == 0;
            }
        }
        if (!declared) {
            return dmx_refuse(ERROR(self), DMX_REFUSED, "no kernel of this request declares the parameter %s",
                              self->request->settings[i].name);
        }
    }
    return DM_OK;
}

static int32_t map_inputs(dmx_worker *self) {
    const dmx_request *request = self->request;
    self->inputs = (dmx_inputs){.seed = request->seed,
                                .settings = request->settings,
                                .setting_count = request->setting_count,
                                .placement = request->placement};
    int32_t status = DM_OK;
    if (request->data != NULL) {
        status = dmx_matrix_map(request->data, &self->data, &self->inputs.data, ERROR(self));
    }
    if (status == DM_OK && request->queries != NULL) {
        status = dmx_matrix_map(request->queries, &self->queries, &self->inputs.queries, ERROR(self));
    }
    return status;
}

/* Libraries are opened in the order in which the arms need them, so that `order` draws the order of loading too. */
static int32_t open_arm(dmx_worker *self, size_t index) {
    const dmx_request_arm *asked = &self->request->arms[index];
    int32_t status = open_library(self, asked->library, (int)index);
    if (status != DM_OK) {
        return status;
    }
    const dm_kernel *kernel = dmx_library_kernel(self->libraries[asked->library], asked->kernel, asked->variant);
    if (kernel == NULL) {
        return dmx_refuse(ERROR(self), DMX_REFUSED, "%s has no kernel %s/%s", self->request->libraries[asked->library],
                          asked->kernel, asked->variant);
    }
    dmx_phase(self, "supported", (int)index);
    self->kernels[index] = kernel;
    return dmx_kernel_supported(kernel, ERROR(self));
}

int32_t dmx_open_arms(dmx_worker *self) {
    dmx_phase(self, "open", -1);
    int32_t status = dmx_pin(self);
    if (status == DM_OK) {
        status = map_inputs(self);
    }
    for (size_t i = 0; status == DM_OK && i < self->request->arm_count; i++) {
        if (self->request->order[i] < self->arm_count) {
            status = open_arm(self, self->request->order[i]);
        }
    }
    return status;
}

int32_t dmx_set_up_arms(dmx_worker *self) {
    dmx_phase(self, "setup", -1);
    int32_t checked = check_settings(self);
    if (checked != DM_OK) {
        return checked;
    }
    for (size_t i = 0; i < self->request->arm_count; i++) {
        const size_t index = self->request->order[i];
        if (index >= self->arm_count) {
            continue;
        }
        dmx_arm *arm = &self->arms[index];
        dmx_phase(self, "setup", (int)index);
        static dmx_memory before;
        if (self->request->exchange > 0) {
            dmx_memory_read(&before);
        }
        int32_t status = dmx_arm_open(arm, self->kernels[index], &self->inputs, ERROR(self));
        if (status == DM_OK && self->request->arms[index].prepared != NULL) {
            status = dmx_arm_use_prepared(arm, self->request->arms[index].prepared, ERROR(self));
        }
        if (status == DM_OK) {
            status = dmx_arm_setup(arm, ERROR(self));
        }
        if (status != DM_OK) {
            return status;
        }
        if (self->request->exchange > 0) {
            dmx_memory_read(&self->memory[index]);
            dmx_memory_since(&self->memory[index], &before);
        }
        self->lanes[index] = (dmx_lane){.run = arm->kernel->run, .state = arm->state, .iterations = 1};
    }
    return DM_OK;
}
