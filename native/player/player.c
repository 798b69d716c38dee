/* player.c: `dualmem-player`. Plays a trace against workloads (docs/reference/player-protocol.md).
 *
 * Read carry_out() first: the order of its steps is the order of the phases. */
#include "player.h"

#include "crash.h"
#include "host/guard.h"
#include "host/report.h"

#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EXIT_MALFORMED = 2, EXIT_FAILED = 3 };

void dmp_phase(dmp_player *self, const char *name, int arm) {
    dmx_guard_phase(&self->answer, name, arm);
}

static int32_t carry_out(dmp_player *self) {
    int32_t status = dmp_request_read(&self->input, &self->request, ERROR(self));
    self->malformed = status != DM_OK;
    if (status != DM_OK) {
        return status;
    }
    if (self->request.task == DMP_DESCRIBE) {
        return dmp_describe(self);
    }
    self->arm_count = self->request.arm_count;
    status = dmp_open_arms(self);
    if (status == DM_OK) {
        status = dmp_set_up_arms(self);
    }
    if (status == DM_OK) {
        status = dmp_read_accounts(self);
    }
    if (status == DM_OK) {
        dmp_report_accounts(&self->answer, "ready", self->accounts, self->arm_count);
        status = dmp_play_all(self);
    }
    return status == DM_OK ? dmp_read_accounts(self) : status;
}

/* No player outlives its caller: a play may take hours. The parent may have died before prctl: then it is no longer the
 * parent. */
static bool bind_to_parent(void) {
    const pid_t parent = getppid();
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

int main(void) {
    static dmp_player self = {.times = -1};
    self.input.stream = stdin;
    self.answer.descriptor = dmx_guard_output();
    if (self.answer.descriptor < 0 || !bind_to_parent()) {
        return EXIT_FAILED;
    }
    dmx_guard_install(&self.answer);
    dmp_crash_install(&self.answer, &self.trace);
    /* A library that calls setlocale() must not put decimal commas into our numbers. */
    (void)uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    dmx_report_hello(&self.answer);

    const int32_t status = carry_out(&self);
    if (status != DM_OK) {
        const bool malformed = self.malformed;
        dmp_report_error(&self.answer, malformed ? "request" : dmx_guard_current_phase(),
                         malformed ? -1 : dmx_guard_current_arm(), status, self.error);
    }
    dmp_clean_up(&self);
    if (status == DM_OK) {
        dmp_report_accounts(&self.answer, "done", self.accounts, self.arm_count);
    }
    const bool failed = status != DM_OK || self.answer.failed;
    dmx_guard_finished();
    dmp_free_accounts(&self);
    dmp_request_free(&self.request);
    dmx_answer_free(&self.answer);
    return self.malformed ? EXIT_MALFORMED : failed ? EXIT_FAILED : 0;
}
