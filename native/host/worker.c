/* worker.c: `dualmem-worker`. One request, one answer, one process (docs/reference/worker-protocol.md).
 *
 * Read carry_out() first: the order of its steps is the order of the phases. */
#include "guard.h"
#include "report.h"
#include "worker.h"

#include <alloca.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_MALFORMED = 2, EXIT_FAILED = 3 };

void dmx_phase(dmx_worker *self, const char *name, int arm) {
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

static int32_t carry_out(dmx_worker *self) {
    const dmx_task task = self->request->task;
    if (task == DMX_DESCRIBE) {
        return dmx_describe(self);
    }
    if (task == DMX_LOAD) {
        return dmx_load(self);
    }
    uint64_t steal_before = 0, steal_after = 0;
    bool steal_known = dmx_read_steal(&steal_before);
    int32_t status = dmx_open_arms(self);
    if (status == DM_OK && task == DMX_PREPARE) {
        return dmx_prepare(self);
    }
    if (status == DM_OK) {
        status = dmx_set_up_arms(self);
    }
    if (status == DM_OK) {
        status = dmx_check_arms(self);
    }
    if (status == DM_OK) {
        status = task == DMX_MEASURE   ? dmx_measure(self)
                 : task == DMX_LATENCY ? dmx_measure_latency(self)
                                       : dmx_spin(self);
    }
    if (status == DM_OK) {
        status = dmx_read_metrics(self);
    }
    if (status != DM_OK) {
        return status;
    }
    steal_known = steal_known && dmx_read_steal(&steal_after);
    dmx_report_resources(self->answer, steal_known, steal_after - steal_before);
    return DM_OK;
}

/* ---- the process ---- */

static void clean_up(dmx_worker *self) {
    for (size_t i = 0; i < self->arm_count; i++) {
        if (self->arms[i].state != NULL) {
            dmx_phase(self, "teardown", (int)i);
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
    static dmx_worker self; /* static: its address does not depend on `stack` */
    self.request = request;
    self.answer = answer;
    const dmx_task task = request->task;
    self.arm_count = task == DMX_DESCRIBE || task == DMX_LOAD  ? 0
                     : task == DMX_PREPARE || task == DMX_SPIN ? 1
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
