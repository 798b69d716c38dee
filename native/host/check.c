/* check.c: the outputs of all arms are compared before anything is timed; a faster wrong answer is no improvement. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct checked {
    uint64_t checksums[DMX_ARMS];
    double *outputs[DMX_ARMS];
    size_t counts[DMX_ARMS];
} checked;

static int32_t write_output(dmx_worker *self, size_t arm, const checked *results) {
    const char *path = self->request->arms[arm].output;
    if (path == NULL) {
        return DM_OK;
    }
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return dmx_refuse(ERROR(self), DM_ERROR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    const char *bytes = (const char *)results->outputs[arm];
    size_t left = results->counts[arm] * sizeof(double);
    while (left > 0) {
        ssize_t wrote = write(descriptor, bytes, left);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            break;
        }
        bytes += wrote;
        left -= (size_t)wrote;
    }
    int failure = left > 0 ? errno : 0;
    if (close(descriptor) != 0 && failure == 0) {
        failure = errno;
    }
    if (failure != 0) {
        return dmx_refuse(ERROR(self), DM_ERROR_IO, "cannot write %s: %s", path, strerror(failure));
    }
    return DM_OK;
}

static void report_checked(dmx_worker *self, const checked *results) {
    dmx_answer_begin(self->answer, "checked");
    dmx_answer_key(self->answer, "checksums");
    dmx_answer_open(self->answer, '[');
    for (size_t i = 0; i < self->arm_count; i++) {
        dmx_answer_hex(self->answer, results->checksums[i]);
    }
    dmx_answer_close(self->answer, ']');
    dmx_answer_key(self->answer, "outputs");
    dmx_answer_open(self->answer, '[');
    for (size_t i = 0; i < self->arm_count; i++) {
        dmx_answer_whole(self->answer, results->counts[i]);
    }
    dmx_answer_close(self->answer, ']');
    dmx_answer_key(self->answer, "differences");
    dmx_answer_open(self->answer, '[');
    for (size_t i = 0; i < self->arm_count; i++) {
        if (results->counts[i] == 0 || results->counts[i] != results->counts[0]) {
            dmx_answer_null(self->answer);
        } else {
            dmx_answer_real(self->answer, dmx_difference(results->outputs[0], results->outputs[i], results->counts[i]));
        }
    }
    dmx_answer_close(self->answer, ']');
    dmx_answer_end(self->answer);
}

/* Neighbours are whole only after an operation per query (dm_kernel.h). That is too long for every worker of a case, so
 * it is done where an output was asked for; elsewhere neighbours are not read and the checksums speak. */
static uint64_t operations_of_check(const dmx_worker *self, bool *neighbours) {
    bool wanted = false;
    for (size_t i = 0; i < self->arm_count; i++) {
        wanted =
            wanted || (self->request->arms[i].output != NULL && self->arms[i].kernel->output == DM_OUTPUT_NEIGHBOURS);
    }
    uint64_t count = self->request->check;
    if (wanted && count < self->inputs.queries.rows) {
        count = self->inputs.queries.rows;
    }
    *neighbours = count >= self->inputs.queries.rows;
    return count;
}

int32_t dmx_check_arms(dmx_worker *self) {
    checked results = {0};
    bool neighbours = false;
    const uint64_t count = operations_of_check(self, &neighbours);
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        dmx_arm *arm = &self->arms[i];
        dmx_phase(self, "check", (int)i);
        results.checksums[i] = dmx_arm_run(arm, count);
        if (arm->kernel->output != DM_OUTPUT_NEIGHBOURS || neighbours) {
            status = dmx_arm_output(arm, &results.outputs[i], &results.counts[i], ERROR(self));
        }
        if (status == DM_OK) {
            status = write_output(self, i, &results);
        }
    }
    if (status == DM_OK) {
        report_checked(self, &results);
    }
    for (size_t i = 0; i < self->arm_count; i++) {
        dmx_release(results.outputs[i]);
    }
    return status;
}
