/* report.c: the larger events of docs/reference/player-protocol.md, field for field. */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void text_field(dmx_answer *answer, const char *key, const char *text) {
    dmx_answer_key(answer, key);
    dmx_answer_text(answer, text);
}

static void whole_field(dmx_answer *answer, const char *key, uint64_t value) {
    dmx_answer_key(answer, key);
    dmx_answer_whole(answer, value);
}

static void real_field(dmx_answer *answer, const char *key, double value) {
    dmx_answer_key(answer, key);
    dmx_answer_real(answer, value);
}

static void truth_field(dmx_answer *answer, const char *key, bool value) {
    dmx_answer_key(answer, key);
    dmx_answer_truth(answer, value);
}

static void open_field(dmx_answer *answer, const char *key, char bracket) {
    dmx_answer_key(answer, key);
    dmx_answer_open(answer, bracket);
}

/* ---- describe ---- */

static void put_parameter(dmx_answer *answer, const dm_parameter *parameter) {
    dmx_answer_open(answer, '{');
    text_field(answer, "name", parameter->name);
    real_field(answer, "default", parameter->default_value);
    real_field(answer, "minimum", parameter->minimum);
    real_field(answer, "maximum", parameter->maximum);
    truth_field(answer, "integer", parameter->integer != 0);
    text_field(answer, "meaning", parameter->meaning);
    dmx_answer_close(answer, '}');
}

static void put_metric(dmx_answer *answer, const dm_metric *metric) {
    static const char *const better[] = {"neither", "lower", "higher"};
    static const char *const scope[] = {"case", "machine"};
    dmx_answer_open(answer, '{');
    text_field(answer, "name", metric->name);
    text_field(answer, "unit", metric->unit);
    text_field(answer, "better", better[metric->better]);
    text_field(answer, "scope", scope[metric->scope]);
    text_field(answer, "meaning", metric->meaning);
    dmx_answer_close(answer, '}');
}

static void put_operation(dmx_answer *answer, const dm_operation *operation) {
    static const char *const counted[] = {"none", "query", "episode", "concept", "binding", "data"};
    dmx_answer_open(answer, '{');
    text_field(answer, "name", operation->name);
    text_field(answer, "meaning", operation->meaning);
    text_field(answer, "key", counted[operation->key]);
    text_field(answer, "inserts", counted[operation->inserts]);
    dmx_answer_close(answer, '}');
}

static void put_workload(dmx_answer *answer, const dm_workload *workload, const char *reason) {
    const dm_kernel kernel = dmp_as_kernel(workload);
    dmx_answer_open(answer, '{');
    text_field(answer, "name", workload->name);
    text_field(answer, "variant", workload->variant);
    text_field(answer, "summary", workload->summary);
    truth_field(answer, "needs_data", workload->needs_data != 0);
    truth_field(answer, "supported", reason == NULL);
    text_field(answer, "reason", reason);
    open_field(answer, "parameters", '[');
    for (size_t i = 0; i < kernel.parameter_count; i++) {
        put_parameter(answer, dmx_kernel_parameter(&kernel, i));
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "metrics", '[');
    for (size_t i = 0; i < kernel.metric_count; i++) {
        put_metric(answer, dmx_kernel_metric(&kernel, i));
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "operations", '[');
    for (size_t i = 0; i < workload->operation_count; i++) {
        put_operation(answer, dmp_operation_of(workload, i));
    }
    dmx_answer_close(answer, ']');
    dmx_answer_close(answer, '}');
}

void dmp_report_workloads(dmx_answer *answer, const char *path, const dmp_library *library, char *const *reasons) {
    const dm_workload_library *table = dmp_library_table(library);
    dmx_answer_begin(answer, "workloads");
    text_field(answer, "path", path);
    open_field(answer, "abi", '[');
    dmx_answer_whole(answer, table->abi_major);
    dmx_answer_whole(answer, table->abi_minor);
    dmx_answer_close(answer, ']');
    text_field(answer, "name", table->name);
    text_field(answer, "version", table->version);
    text_field(answer, "revision", table->revision);
    open_field(answer, "workloads", '[');
    for (size_t i = 0; i < table->workload_count; i++) {
        put_workload(answer, table->workloads[i], reasons[i]);
    }
    dmx_answer_close(answer, ']');
    dmx_answer_end(answer);
}

/* ---- plays ---- */

static void put_histogram(dmx_answer *answer, const char *key, const dmx_histogram *histogram) {
    open_field(answer, key, '{');
    whole_field(answer, "count", histogram->count);
    whole_field(answer, "sum_ns", histogram->sum_ns);
    whole_field(answer, "max_ns", histogram->max_ns);
    open_field(answer, "buckets", '[');
    for (size_t i = 0; i < DMX_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] != 0) {
            dmx_answer_open(answer, '[');
            dmx_answer_whole(answer, i);
            dmx_answer_whole(answer, histogram->buckets[i]);
            dmx_answer_close(answer, ']');
        }
    }
    dmx_answer_close(answer, ']');
    dmx_answer_close(answer, '}');
}

static void put_metrics(dmx_answer *answer, const dmp_account *account) {
    open_field(answer, "metrics", '[');
    for (size_t i = 0; i < account->metric_count; i++) {
        dmx_answer_real(answer, account->metrics[i]);
    }
    dmx_answer_close(answer, ']');
}

/* What is resident now, files mapped included; null when it cannot be read. */
static void put_resident(dmx_answer *answer) {
    char text[128] = "";
    unsigned long long pages = 0;
    const int descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t length = descriptor >= 0 ? read(descriptor, text, sizeof text - 1) : -1;
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    text[length > 0 ? length : 0] = '\0';
    dmx_answer_key(answer, "rss_bytes");
    if (sscanf(text, "%*u %llu", &pages) == 1) {
        dmx_answer_whole(answer, pages * (uint64_t)sysconf(_SC_PAGESIZE));
    } else {
        dmx_answer_null(answer);
    }
}

static void put_first_error(dmx_answer *answer, const dmp_tally *tally) {
    dmx_answer_key(answer, "first_error");
    if (tally->errors == 0) {
        dmx_answer_null(answer);
        return;
    }
    dmx_answer_open(answer, '{');
    whole_field(answer, "number", tally->first_error);
    dmx_answer_key(answer, "status");
    dmx_answer_signed(answer, tally->first_status);
    dmx_answer_close(answer, '}');
}

static void put_kinds(dmx_answer *answer, const dmp_trace *trace, const dmp_play *play, const dmp_tally *tallies) {
    open_field(answer, "kinds", '{');
    for (size_t i = 0; i < trace->kinds; i++) {
        open_field(answer, trace->names[i], '{');
        whole_field(answer, "operations", tallies[i].operations);
        whole_field(answer, "errors", tallies[i].errors);
        put_first_error(answer, &tallies[i]);
        dmx_answer_key(answer, "results");
        dmx_answer_hex(answer, tallies[i].results);
        if (play->open) {
            put_histogram(answer, "response", &tallies[i].response);
        }
        put_histogram(answer, "service", &tallies[i].service);
        dmx_answer_close(answer, '}');
    }
    dmx_answer_close(answer, '}');
}

void dmp_report_played(dmx_answer *answer, const dmp_trace *trace, const dmp_play *play, const dmp_played *played,
                       const dmp_account *account, const uint64_t *steal_ticks) {
    dmx_answer_begin(answer, "played");
    whole_field(answer, "arm", play->arm);
    whole_field(answer, "first", play->first);
    whole_field(answer, "count", play->count);
    text_field(answer, "mode", play->open ? "open" : "closed");
    real_field(answer, "speed", play->speed);
    whole_field(answer, "threads", play->threads);
    whole_field(answer, "scheduled_ns", played->scheduled_ns);
    whole_field(answer, "elapsed_ns", played->elapsed_ns);
    put_kinds(answer, trace, play, played->tallies);
    if (play->open) {
        put_histogram(answer, "lateness", played->lateness);
    }
    whole_field(answer, "cpu_ns", played->cpu_ns);
    whole_field(answer, "minor_faults", played->minor_faults);
    whole_field(answer, "major_faults", played->major_faults);
    whole_field(answer, "voluntary_switches", played->voluntary_switches);
    whole_field(answer, "involuntary_switches", played->involuntary_switches);
    dmx_answer_key(answer, "steal_ticks");
    if (steal_ticks != NULL) {
        dmx_answer_whole(answer, *steal_ticks);
    } else {
        dmx_answer_null(answer);
    }
    put_resident(answer);
    put_metrics(answer, account);
    dmx_answer_end(answer);
}

void dmp_report_error(dmx_answer *answer, const char *phase, int arm, int32_t status, const char *message) {
    dmx_answer_begin(answer, "error");
    text_field(answer, "phase", phase);
    dmx_answer_key(answer, "arm");
    if (arm < 0) {
        dmx_answer_null(answer);
    } else {
        dmx_answer_signed(answer, arm);
    }
    dmx_answer_key(answer, "status");
    dmx_answer_signed(answer, status == DMX_REFUSED ? 0 : status);
    text_field(answer, "message", message);
    dmx_answer_end(answer);
}

void dmp_report_accounts(dmx_answer *answer, const char *event, const dmp_account *accounts, size_t count) {
    dmx_answer_begin(answer, event);
    open_field(answer, "arms", '[');
    for (size_t i = 0; i < count; i++) {
        dmx_answer_open(answer, '{');
        put_metrics(answer, &accounts[i]);
        dmx_answer_key(answer, "fans");
        if (accounts[i].fans == NULL) {
            dmx_answer_null(answer);
        } else {
            dmx_answer_open(answer, '[');
            for (size_t f = 0; f < accounts[i].fan_count; f++) {
                dmx_answer_whole(answer, accounts[i].fans[f]);
            }
            dmx_answer_close(answer, ']');
        }
        dmx_answer_close(answer, '}');
    }
    dmx_answer_close(answer, ']');
    dmx_answer_end(answer);
}
