/* guard.c: the crash handler and its neighbours. The handler uses only what is async-signal-safe: static memory and
 * write. */
#include "guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const dmx_answer *guarded;
static const char *volatile current_phase = "open";
static volatile sig_atomic_t current_arm = -1;
static volatile sig_atomic_t finished;

/* A stack overflow leaves no room on the ordinary stack. Not SIGSTKSZ: with AVX-512 state a frame alone is several KiB.
 */
static _Alignas(64) char handler_stack[65536];

int dmx_guard_output(void) {
    /* Not the lowest free number: a library that writes to a guessed descriptor guesses a small one. */
    int descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
    if (descriptor < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return -1;
    }
    return descriptor;
}

void dmx_guard_phase(dmx_answer *answer, const char *phase, int arm) {
    current_phase = phase;
    current_arm = arm;
    dmx_answer_begin(answer, "phase");
    dmx_answer_key(answer, "phase");
    dmx_answer_text(answer, phase);
    dmx_answer_key(answer, "arm");
    if (arm < 0) {
        dmx_answer_null(answer);
    } else {
        dmx_answer_signed(answer, arm);
    }
    dmx_answer_end(answer);
}

const char *dmx_guard_current_phase(void) {
    return current_phase;
}

/* Inside of the timed loop no event is written; the loop notes the arm itself. */
int dmx_guard_current_arm(void) {
    return dmx_current_arm >= 0 ? (int)dmx_current_arm : (int)current_arm;
}

typedef struct line {
    char text[512];
    size_t size;
} line;

static void add(line *out, const char *text) {
    for (; *text != '\0' && out->size < sizeof out->text; text++) {
        out->text[out->size++] = *text;
    }
}

static void add_number(line *out, int number) /* >= 0 */
{
    char digits[12];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(out, digits + at);
}

static void add_place(line *out) {
    add(out, "\"phase\":\"");
    add(out, current_phase);
    add(out, "\",\"arm\":");
    if (dmx_guard_current_arm() < 0) {
        add(out, "null");
    } else {
        add_number(out, dmx_guard_current_arm());
    }
}

static void send(const line *out) {
    if (guarded->in_progress) { /* half a line is out already; more would only make it look whole */
        return;
    }
    ssize_t wrote = write(guarded->descriptor, out->text, out->size);
    (void)wrote; /* nothing is left to be done about it */
}

static void on_fatal_signal(int signal) {
    line out = {.size = 0};
    add(&out, "{\"event\":\"crash\",\"signal\":");
    add_number(&out, signal);
    add(&out, ",");
    add_place(&out);
    add(&out, "}\n");
    send(&out);
    (void)raise(signal); /* SA_RESETHAND: now it does what it does by default */
}

static void on_exit_called(void) {
    if (finished) {
        return;
    }
    line out = {.size = 0};
    add(&out, "{\"event\":\"error\",");
    add_place(&out);
    add(&out, ",\"status\":0,\"message\":\"the library ended the process by calling exit()\"}\n");
    send(&out);
    _exit(3);
}

void dmx_guard_install(const dmx_answer *answer) {
    guarded = answer;
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    (void)sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = on_fatal_signal,
                               .sa_flags = (int)((unsigned)SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    (void)sigemptyset(&action.sa_mask);
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU, SIGTERM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        (void)sigaction(fatal[i], &action, NULL);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a caller that went away is noticed by write */
    (void)atexit(on_exit_called);
}

void dmx_guard_finished(void) {
    finished = 1;
}
