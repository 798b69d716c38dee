/* stage.c: everything up to the point where a trace can be played, and the way back. */
#include "names.h"
#include "player.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FANS_MAX = 1 << 16 }; /* entries; the last one stands for all above */

static int32_t open_library(dmp_player *self, size_t index, int arm) {
    dmp_phase(self, "open", arm);
    if (self->libraries[index] != NULL) {
        return DM_OK;
    }
    return dmp_library_open(self->request.libraries[index], self->libraries, self->request.library_count,
                            &self->libraries[index], ERROR(self));
}

static int32_t describe_library(dmp_player *self, size_t index) {
    int32_t status = open_library(self, index, -1);
    if (status != DM_OK) {
        return status;
    }
    dmp_phase(self, "supported", -1);
    const dm_workload_library *table = dmp_library_table(self->libraries[index]);
    char **reasons = calloc(table->workload_count, sizeof *reasons);
    if (reasons == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < table->workload_count; i++) {
        const dm_kernel kernel = dmp_as_kernel(table->workloads[i]);
        if (dmx_kernel_supported(&kernel, ERROR(self)) != DM_OK) {
            reasons[i] = strdup(self->error);
        }
    }
    dmp_report_workloads(&self->answer, self->request.libraries[index], self->libraries[index], reasons);
    for (size_t i = 0; i < table->workload_count; i++) {
        free(reasons[i]);
    }
    free(reasons);
    return DM_OK;
}

int32_t dmp_describe(dmp_player *self) {
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->request.library_count; i++) {
        status = describe_library(self, i);
    }
    return status;
}

/* ---- opening ---- */

static int32_t map_inputs(dmp_player *self) {
    const dmp_request *request = &self->request;
    self->inputs = (dmx_inputs){.seed = request->seed,
                                .settings = request->settings,
                                .setting_count = request->setting_count,
                                .placement = request->placement};
    int32_t status = dmp_trace_open(request->trace, &self->trace, ERROR(self));
    if (status == DM_OK && request->data != NULL) {
        status = dmx_matrix_map(request->data, &self->data, &self->inputs.data, ERROR(self));
    }
    if (status == DM_OK && request->queries != NULL) {
        status = dmx_matrix_map(request->queries, &self->queries, &self->inputs.queries, ERROR(self));
    }
    if (status == DM_OK && request->times != NULL) {
        self->times = open(request->times, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (self->times < 0) {
            status = dmx_refuse(ERROR(self), DM_ERROR_IO, "cannot write %s: %s", request->times, strerror(errno));
        }
    }
    return status;
}

/* Where the kinds of the trace stand in the workload's table. */
static int32_t map_kinds(dmp_player *self, dmp_arm *arm) {
    const dm_workload *workload = arm->workload;
    for (size_t kind = 0; kind < self->trace.kinds; kind++) {
        size_t at = 0;
        while (at < workload->operation_count &&
               strcmp(dmp_operation_of(workload, at)->name, self->trace.names[kind]) != 0) {
            at++;
        }
        arm->lane.places[kind] = (uint32_t)at;
        if (at < workload->operation_count) {
            continue;
        }
        const char **names = calloc(workload->operation_count, sizeof *names);
        char nearest[512] = "others";
        for (size_t i = 0; names != NULL && i < workload->operation_count; i++) {
            names[i] = dmp_operation_of(workload, i)->name;
        }
        if (names != NULL) {
            dmp_nearest(self->trace.names[kind], names, workload->operation_count, nearest, sizeof nearest);
        }
        free((void *)names);
        return dmx_refuse(ERROR(self), DMX_REFUSED,
                          "the trace has operations %s, but the workload %s/%s has not; it has %s",
                          self->trace.names[kind], workload->name, workload->variant, nearest);
    }
    return DM_OK;
}

/* Libraries are opened in the order in which the arms need them, so that `order` draws the order of loading too. */
static int32_t open_arm(dmp_player *self, size_t index) {
    const dmp_request_arm *asked = &self->request.arms[index];
    dmp_arm *arm = &self->arms[index];
    int32_t status = open_library(self, asked->library, (int)index);
    if (status != DM_OK) {
        return status;
    }
    arm->workload = dmp_library_workload(self->libraries[asked->library], asked->workload, asked->variant, ERROR(self));
    if (arm->workload == NULL) {
        return DMX_REFUSED;
    }
    status = map_kinds(self, arm);
    if (status != DM_OK) {
        return status;
    }
    arm->kernel = dmp_as_kernel(arm->workload);
    dmp_phase(self, "supported", (int)index);
    return dmx_kernel_supported(&arm->kernel, ERROR(self));
}

int32_t dmp_open_arms(dmp_player *self) {
    dmp_phase(self, "open", -1);
    int32_t status = map_inputs(self);
    if (status == DM_OK) {
        status = dmp_crew_open(&self->trace, self->request.threads, self->request.cpus, self->request.cpu_count,
                               &self->crew, ERROR(self));
    }
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        status = open_arm(self, self->request.order[i]);
    }
    return status;
}

/* ---- setting up ---- */

/* A name that nothing declares is a mistake. */
static int32_t check_settings(dmp_player *self) {
    for (size_t i = 0; i < self->request.setting_count; i++) {
        bool declared = false;
        for (size_t a = 0; a < self->arm_count; a++) {
            for (size_t p = 0; p < self->arms[a].kernel.parameter_count; p++) {
                const char *name = dmx_kernel_parameter(&self->arms[a].kernel, p)->name;
                declared = declared || strcmp(name, self->request.settings[i].name) == 0;
            }
        }
        if (!declared) {
            return dmx_refuse(ERROR(self), DMX_REFUSED, "no workload of this request declares the parameter %s",
                              self->request.settings[i].name);
        }
    }
    return DM_OK;
}

/* A library's sentence, made safe to use: ended, and there. */
static int32_t settle(dmp_player *self, int32_t status, const char *call, const dm_workload *workload) {
    self->error[sizeof self->error - 1] = '\0';
    if (status != DM_OK && self->error[0] == '\0') {
        (void)dmx_refuse(ERROR(self), status, "%s of %s/%s failed with status %d and without a reason", call,
                         workload->name, workload->variant, (int)status);
    }
    return status;
}

static int32_t set_up_arm(dmp_player *self, size_t index) {
    dmp_arm *arm = &self->arms[index];
    dmp_phase(self, "setup", (int)index);
    int32_t status = dmx_arm_open(&arm->host, &arm->kernel, &self->inputs, ERROR(self));
    if (status != DM_OK) {
        return status;
    }
    const dm_workload *workload = arm->workload;
    self->error[0] = '\0';
    dm_state *state = NULL;
    status = workload->setup(&arm->host.work, self->request.threads, &state, ERROR(self));
    status = settle(self, status, "setup", workload);
    if (status == DM_OK && state == NULL) {
        return dmx_refuse(ERROR(self), DMX_REFUSED, "setup of %s/%s reported success but made no state", workload->name,
                          workload->variant);
    }
    /* A library that fails and leaves rubbish here must not have it torn down. */
    arm->host.state = status == DM_OK ? state : NULL;
    arm->lane.workload = workload;
    arm->lane.state = arm->host.state;
    dmp_account *account = &self->accounts[index];
    account->metric_count = workload->metric_count;
    account->metrics = calloc(workload->metric_count + 1, sizeof *account->metrics);
    if (status == DM_OK && account->metrics == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
    }
    return status;
}

int32_t dmp_set_up_arms(dmp_player *self) {
    dmp_phase(self, "setup", -1);
    int32_t status = check_settings(self);
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        status = set_up_arm(self, self->request.order[i]);
    }
    return status;
}

/* ---- what the stores say of themselves ---- */

int32_t dmp_read_metrics(dmp_player *self, size_t arm) {
    dmp_phase(self, "metrics", (int)arm);
    return dmx_arm_metrics(&self->arms[arm].host, self->accounts[arm].metrics, ERROR(self));
}

static int32_t read_fans(dmp_player *self, size_t index) {
    const dm_workload *workload = self->arms[index].workload;
    dm_state *state = self->arms[index].host.state;
    dmp_account *account = &self->accounts[index];
    if (workload->read_fans == NULL) {
        return DM_OK;
    }
    size_t needed = 0;
    self->error[0] = '\0';
    int32_t status = settle(self, workload->read_fans(state, NULL, 0, &needed), "read_fans", workload);
    if (status != DM_OK) {
        return status;
    }
    const size_t count = needed < FANS_MAX ? needed : FANS_MAX;
    free(account->fans);
    account->fan_count = count;
    account->fans = calloc(count + 1, sizeof *account->fans);
    if (account->fans == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
    }
    return settle(self, workload->read_fans(state, account->fans, count, &needed), "read_fans", workload);
}

int32_t dmp_read_accounts(dmp_player *self) {
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        status = dmp_read_metrics(self, i);
        if (status == DM_OK) {
            status = read_fans(self, i);
        }
    }
    return status;
}

/* ---- the way back ---- */

void dmp_clean_up(dmp_player *self) {
    dmp_crew_close(self->crew); /* first: a library may have told its threads to come back to it */
    for (size_t i = 0; i < self->arm_count; i++) {
        if (self->arms[i].host.state != NULL) {
            dmp_phase(self, "teardown", (int)i);
        }
        dmx_arm_close(&self->arms[i].host);
    }
    if (self->times >= 0) {
        (void)close(self->times);
    }
    dmx_file_unmap(&self->data);
    dmx_file_unmap(&self->queries);
    dmp_trace_close(&self->trace);
    for (size_t i = 0; i < self->request.library_count; i++) {
        dmp_library_close(self->libraries[i]);
    }
}

void dmp_free_accounts(dmp_player *self) {
    for (size_t i = 0; i < self->arm_count; i++) {
        free(self->accounts[i].metrics);
        free(self->accounts[i].fans);
    }
}
