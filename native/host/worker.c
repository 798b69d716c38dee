/* worker.c: `dualmem-worker`. One request, one answer, one process (docs/reference/worker-protocol.md).
 *
 * Read carry_out() first: the order of its steps is the order of the phases. */
#include "guard.h"
#include "report.h"
#include "request.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_MALFORMED = 2, EXIT_FAILED = 3, SPIN_TARGET_NS = 1000000 };

typedef struct worker {
    const dmx_request *request;
    dmx_answer *answer;
    dmx_library *libraries[DMX_LIBRARIES];
    dmx_file data, queries;
    dmx_inputs inputs;
    size_t arm_count; /* of those that the task uses */
    dmx_arm arms[DMX_ARMS];
    dmx_lane lanes[DMX_ARMS];
    char error[DMX_ERROR_SIZE];
} worker;

#define ERROR(self) (self)->error, sizeof(self)->error

static void phase(worker *self, const char *name, int arm) {
    dmx_guard_phase(self->answer, name, arm);
}

static void report_error(dmx_answer *answer, const char *where, int arm, int32_t status, const char *message) {
    dmx_answer_begin(answer, "error");
    dmx_answer_key(answer, "phase");
    dmx_answer_text(answer, where);
    dmx_answer_key(answer, "arm");
    if (arm < 0) {
        dmx_answer_null(answer);
    } else {
        dmx_answer_signed(answer, arm);
    }
    dmx_answer_key(answer, "status");
    dmx_answer_signed(answer, status == DMX_REFUSED ? 0 : status);
    dmx_answer_key(answer, "message");
    dmx_answer_text(answer, message);
    dmx_answer_end(answer);
}

/* ---- before anything is timed ---- */

static int32_t pin(worker *self) {
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

static int32_t open_library(worker *self, size_t index, int arm) {
    if (self->libraries[index] != NULL) {
        return DM_OK;
    }
    phase(self, "open", arm);
    return dmx_library_open(self->request->libraries[index], self->libraries, self->request->library_count,
                            &self->libraries[index], ERROR(self));
}

static int32_t describe(worker *self) {
    for (size_t i = 0; i < self->request->library_count; i++) {
        int32_t status = open_library(self, i, -1);
        if (status != DM_OK) {
            return status;
        }
        phase(self, "supported", -1);
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

static int32_t check_settings(worker *self) {
    for (size_t i = 0; i < self->request->setting_count; i++) {
        bool declared = false;
        for (size_t a = 0; a < self->arm_count; a++) {
            for (size_t p = 0; p < self->arms[a].kernel->parameter_count; p++) {
                declared = declared || strcmp(dmx_kernel_parameter(self->arms[a].kernel, p)->name,
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

static int32_t map_inputs(worker *self) {
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
static int32_t open_arm(worker *self, size_t index) {
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
    phase(self, "supported", (int)index);
    status = dmx_kernel_supported(kernel, ERROR(self));
    return status == DM_OK ? dmx_arm_open(&self->arms[index], kernel, &self->inputs, ERROR(self)) : status;
}

static int32_t open_arms(worker *self) {
    phase(self, "open", -1);
    int32_t status = pin(self);
    if (status == DM_OK) {
        status = map_inputs(self);
    }
    for (size_t i = 0; status == DM_OK && i < self->request->arm_count; i++) {
        if (self->request->order[i] < self->arm_count) {
            status = open_arm(self, self->request->order[i]);
        }
    }
    return status == DM_OK ? check_settings(self) : status;
}

static int32_t set_up_arms(worker *self) {
    for (size_t i = 0; i < self->request->arm_count; i++) {
        const size_t index = self->request->order[i];
        if (index >= self->arm_count) {
            continue;
        }
        dmx_arm *arm = &self->arms[index];
        phase(self, "setup", (int)index);
        int32_t status = DM_OK;
        if (self->request->arms[index].prepared != NULL) {
            status = dmx_arm_use_prepared(arm, self->request->arms[index].prepared, ERROR(self));
        }
        if (status == DM_OK) {
            status = dmx_arm_setup(arm, ERROR(self));
        }
        if (status != DM_OK) {
            return status;
        }
        self->lanes[index] = (dmx_lane){.run = arm->kernel->run, .state = arm->state, .iterations = 1};
    }
    return DM_OK;
}

/* ---- check: the outputs of all arms are compared before anything is timed ---- */

typedef struct checked {
    uint64_t checksums[DMX_ARMS];
    double *outputs[DMX_ARMS];
    size_t counts[DMX_ARMS];
} checked;

static int32_t write_output(worker *self, size_t arm, const checked *results) {
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

static void report_checked(worker *self, const checked *results) {
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
static uint64_t operations_of_check(const worker *self, bool *neighbours) {
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

static int32_t check_arms(worker *self) {
    checked results = {0};
    bool neighbours = false;
    const uint64_t count = operations_of_check(self, &neighbours);
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        dmx_arm *arm = &self->arms[i];
        phase(self, "check", (int)i);
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

/* ---- the tasks ---- */

static int32_t calibrate(worker *self, uint64_t target_ns) {
    uint64_t iterations = self->request->iterations;
    if (iterations == 0) {
        phase(self, "calibrate", -1);
        int32_t status = dmx_calibrate(self->lanes, self->arm_count, target_ns, &iterations, ERROR(self));
        if (status != DM_OK) {
            return status;
        }
        dmx_answer_begin(self->answer, "calibrated");
        dmx_answer_key(self->answer, "iterations");
        dmx_answer_whole(self->answer, iterations);
        dmx_answer_end(self->answer);
    }
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].iterations = dmx_scale(iterations, self->request->arms[i].work);
    }
    return DM_OK;
}

static void warm_up(worker *self) {
    phase(self, "warmup", -1);
    dmx_warm_up(self->lanes, self->arm_count, self->request->warmup_ns);
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].checksum = 0; /* of the samples only */
    }
}

static int32_t report_metrics(worker *self) {
    for (size_t i = 0; i < self->arm_count; i++) {
        phase(self, "metrics", (int)i);
        const size_t count = self->arms[i].kernel->metric_count;
        double *values = malloc((count + 1) * sizeof *values);
        if (values == NULL) {
            return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
        }
        int32_t status = dmx_arm_metrics(&self->arms[i], values, ERROR(self));
        if (status == DM_OK) {
            dmx_report_metrics(self->answer, i, values, count);
        }
        free(values);
        if (status != DM_OK) {
            return status;
        }
    }
    return DM_OK;
}

static int32_t prepare(worker *self) {
    phase(self, "prepare", 0);
    return dmx_arm_prepare(&self->arms[0], self->request->path, ERROR(self));
}

static int32_t measure(worker *self) {
    const size_t count = self->request->schedule_count;
    dmx_sample *samples = malloc(count * sizeof *samples);
    if (samples == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory for %zu samples", count);
    }
    memset(samples, 0xff, count * sizeof *samples); /* touched now, not between samples */
    int32_t status = calibrate(self, self->request->target_ns);
    if (status == DM_OK) {
        warm_up(self);
        phase(self, "run", -1);
        dmx_execute(self->lanes, self->request->schedule, count, samples);
        dmx_report_samples(self->answer, self->lanes, self->arm_count, samples, count);
    }
    free(samples);
    return status;
}

static int32_t latency_passes(worker *self, dmx_latency **latencies) {
    const dmx_request *request = self->request;
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        status = dmx_latency_open(request->operations, &latencies[i], ERROR(self));
    }
    if (status == DM_OK) {
        warm_up(self);
    }
    /* Pass by pass, not arm by arm: whatever the machine does meanwhile, it does to all arms. */
    for (uint64_t pass = 0; pass < request->passes; pass++) {
        for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
            phase(self, "latency", (int)i);
            status = dmx_latency_pass(latencies[i], &self->arms[i], ERROR(self));
        }
    }
    return status;
}

static int32_t latency(worker *self) {
    dmx_latency *latencies[DMX_ARMS] = {0};
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].iterations = self->request->iterations > 0 ? self->request->iterations : 1;
    }
    int32_t status = latency_passes(self, latencies);
    for (size_t i = 0; i < self->arm_count; i++) {
        if (status == DM_OK) {
            dmx_report_latency(self->answer, i, self->request->operations * self->request->passes, latencies[i]);
        }
        dmx_latency_close(latencies[i]);
    }
    return status;
}

static int32_t spin(worker *self) {
    int32_t status = calibrate(self, self->request->target_ns > 0 ? self->request->target_ns : SPIN_TARGET_NS);
    if (status != DM_OK) {
        return status;
    }
    warm_up(self);
    phase(self, "spin", 0);
    static const uint8_t arm_0[1] = {0};
    uint64_t operations = 0, wall_ns = 0, cpu_ns = 0;
    for (uint64_t begin = dmx_now(); dmx_now() - begin < self->request->duration_ns;) {
        dmx_sample sample;
        dmx_execute(self->lanes, arm_0, 1, &sample);
        operations += self->lanes[0].iterations;
        wall_ns += sample.wall_ns;
        cpu_ns += sample.cpu_ns;
    }
    dmx_answer_begin(self->answer, "spun");
    dmx_answer_key(self->answer, "operations");
    dmx_answer_whole(self->answer, operations);
    dmx_answer_key(self->answer, "wall_ns");
    dmx_answer_whole(self->answer, wall_ns);
    dmx_answer_key(self->answer, "cpu_ns");
    dmx_answer_whole(self->answer, cpu_ns);
    dmx_answer_end(self->answer);
    return DM_OK;
}

static int32_t carry_out(worker *self) {
    const dmx_task task = self->request->task;
    if (task == DMX_DESCRIBE) {
        return describe(self);
    }
    uint64_t steal_before = 0, steal_after = 0;
    bool steal_known = dmx_read_steal(&steal_before);
    int32_t status = open_arms(self);
    if (status == DM_OK && task == DMX_PREPARE) {
        return prepare(self);
    }
    if (status == DM_OK) {
        status = set_up_arms(self);
    }
    if (status == DM_OK) {
        status = check_arms(self);
    }
    if (status == DM_OK) {
        status = task == DMX_MEASURE ? measure(self) : task == DMX_LATENCY ? latency(self) : spin(self);
    }
    if (status == DM_OK) {
        status = report_metrics(self);
    }
    if (status != DM_OK) {
        return status;
    }
    steal_known = steal_known && dmx_read_steal(&steal_after);
    dmx_report_resources(self->answer, steal_known, steal_after - steal_before);
    return DM_OK;
}

/* ---- the process ---- */

static void clean_up(worker *self) {
    for (size_t i = 0; i < self->arm_count; i++) {
        if (self->arms[i].state != NULL) {
            phase(self, "teardown", (int)i);
        }
        dmx_arm_close(&self->arms[i]);
    }
    dmx_file_unmap(&self->data);
    dmx_file_unmap(&self->queries);
    for (size_t i = 0; i < self->request->library_count; i++) {
        dmx_library_close(self->libraries[i]);
    }
}

static int serve(const dmx_request *request, dmx_answer *answer) {
    static worker self; /* static: its address does not depend on `stack` */
    self.request = request;
    self.answer = answer;
    self.arm_count = request->task == DMX_DESCRIBE                               ? 0
                     : request->task == DMX_PREPARE || request->task == DMX_SPIN ? 1
                                                                                 : request->arm_count;
    int32_t status = carry_out(&self);
    if (status != DM_OK) {
        report_error(answer, dmx_guard_current_phase(), dmx_guard_current_arm(), status, self.error);
    }
    clean_up(&self);
    if (status != DM_OK) {
        return EXIT_FAILED;
    }
    dmx_answer_begin(answer, "done");
    dmx_answer_end(answer);
    return answer->failed ? EXIT_FAILED : 0;
}

/* The frames of everything below move down by `bytes`: stack addresses are one of the accidents that workers average
 * over. */
__attribute__((noinline)) static int serve_from(size_t bytes, const dmx_request *request, dmx_answer *answer) {
    volatile char *pad = alloca(bytes + 1);
    pad[0] = 0;
    int status = serve(request, answer);
    pad[bytes] = 0; /* after the call, so that the frame is alive during it */
    return status;
}

int main(void) {
    static dmx_answer answer;
    static dmx_request request;
    static char error[DMX_ERROR_SIZE];
    answer.descriptor = dmx_guard_output();
    if (answer.descriptor < 0) {
        return EXIT_FAILED;
    }
    dmx_guard_install(&answer);
    /* A library that calls setlocale() must not put decimal commas into our numbers. */
    (void)uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    dmx_report_hello(&answer);

    char *text = NULL;
    size_t size = 0;
    int32_t status = dmx_request_read(STDIN_FILENO, &text, &size, error, sizeof error);
    if (status == DM_OK) {
        status = dmx_request_parse(&request, text, size, error, sizeof error);
    }
    if (status != DM_OK) {
        report_error(&answer, "request", -1, status, error);
    }
    int result = status == DM_OK ? serve_from(request.stack, &request, &answer) : EXIT_MALFORMED;
    dmx_guard_finished();
    free(text);
    dmx_answer_free(&answer);
    return result;
}
