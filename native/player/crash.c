/* crash.c: the handler of fatal signals. It uses only what is async-signal-safe: static memory, atomics and write.
 *
 * It may run on any thread, and on two at once when two crash: the first one tells, the others wait for the end of the
 * process. */
#include "crash.h"

#include "crew.h"
#include "host/guard.h"

#include <stdatomic.h>
#include <unistd.h>

static const dmx_answer *answering;
static const dmp_trace *playing;
static atomic_flag told = ATOMIC_FLAG_INIT;

typedef struct line {
    char text[512]; /* a name has at most 64 bytes */
    size_t size;
} line;

static void add(line *out, const char *text) {
    for (; *text != '\0' && out->size < sizeof out->text; text++) {
        out->text[out->size++] = *text;
    }
}

static void add_number(line *out, uint64_t number) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(out, digits + at);
}

static void add_operation(line *out) {
    uint64_t number = 0;
    if (!dmp_crew_under_way(&number)) {
        add(out, ",\"operation\":null,\"number\":null}\n");
        return;
    }
    add(out, ",\"operation\":\"");
    add(out, playing->names[dmp_kind(&playing->operations[number])]);
    add(out, "\",\"number\":");
    add_number(out, number);
    add(out, "}\n");
}

static void on_fatal_signal(int signal_number) {
    while (atomic_flag_test_and_set(&told)) {
        (void)pause();
    }
    line out = {.size = 0};
    add(&out, "{\"event\":\"crash\",\"signal\":");
    add_number(&out, (uint64_t)signal_number);
    add(&out, ",\"phase\":\"");
    add(&out, dmx_guard_current_phase());
    add(&out, "\",\"arm\":");
    if (dmx_guard_current_arm() < 0) {
        add(&out, "null");
    } else {
        add_number(&out, (uint64_t)dmx_guard_current_arm());
    }
    add_operation(&out);
    if (!answering->in_progress) { /* else half a line is out already; more would only make it look whole */
        const ssize_t wrote = write(answering->descriptor, out.text, out.size);
        (void)wrote; /* nothing is left to be done about it */
    }
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number); /* blocked while it is handled; the process dies of it on return */
}

void dmp_crash_install(const dmx_answer *answer, const dmp_trace *trace) {
    answering = answer;
    playing = trace;
    struct sigaction action = {.sa_handler = on_fatal_signal, .sa_flags = (int)SA_ONSTACK};
    (void)sigfillset(&action.sa_mask); /* a second one inside of the handler ends the process at once */
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU, SIGTERM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        (void)sigaction(fatal[i], &action, NULL);
    }
}
