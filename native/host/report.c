/* report.c: the larger events of docs/reference/worker-protocol.md, field for field. */
#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PROTOCOL = 1 };

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

void dmx_report_hello(dmx_answer *answer) {
    dmx_clock clock;
    dmx_clock_measure(&clock);
    dmx_answer_begin(answer, "hello");
    whole_field(answer, "protocol", PROTOCOL);
    open_field(answer, "clock", '{');
    text_field(answer, "name", clock.name);
    text_field(answer, "source", clock.source);
    real_field(answer, "resolution_ns", clock.resolution_ns);
    real_field(answer, "cost_ns", clock.cost_ns);
    dmx_answer_close(answer, '}');
    dmx_answer_end(answer);
}

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

static void put_kernel(dmx_answer *answer, const dm_kernel *kernel, const char *reason) {
    static const char *const output[] = {"none", "values", "neighbours"};
    dmx_answer_open(answer, '{');
    text_field(answer, "name", kernel->name);
    text_field(answer, "variant", kernel->variant);
    text_field(answer, "summary", kernel->summary);
    real_field(answer, "tolerance", kernel->tolerance);
    text_field(answer, "output", output[kernel->output]);
    truth_field(answer, "needs_data", kernel->needs_data != 0);
    truth_field(answer, "prepare", kernel->prepare != NULL);
    truth_field(answer, "run_each", kernel->run_each != NULL);
    truth_field(answer, "supported", reason == NULL);
    text_field(answer, "reason", reason);
    open_field(answer, "parameters", '[');
    for (size_t i = 0; i < kernel->parameter_count; i++) {
        put_parameter(answer, dmx_kernel_parameter(kernel, i));
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "metrics", '[');
    for (size_t i = 0; i < kernel->metric_count; i++) {
        put_metric(answer, dmx_kernel_metric(kernel, i));
    }
    dmx_answer_close(answer, ']');
    dmx_answer_close(answer, '}');
}

void dmx_report_library(dmx_answer *answer, const char *path, const dmx_library *library, char *const *reasons) {
    const dm_library *table = dmx_library_table(library);
    dmx_answer_begin(answer, "library");
    text_field(answer, "path", path);
    open_field(answer, "abi", '[');
    dmx_answer_whole(answer, table->abi_major);
    dmx_answer_whole(answer, table->abi_minor);
    dmx_answer_close(answer, ']');
    text_field(answer, "name", table->name);
    text_field(answer, "version", table->version);
    text_field(answer, "compiler", table->compiler);
    text_field(answer, "flags", table->flags);
    text_field(answer, "revision", table->revision);
    open_field(answer, "kernels", '[');
    for (size_t i = 0; i < table->kernel_count; i++) {
        put_kernel(answer, table->kernels[i], reasons[i]);
    }
    dmx_answer_close(answer, ']');
    dmx_answer_end(answer);
}

void dmx_report_samples(dmx_answer *answer, const dmx_lane *lanes, size_t lane_count, const dmx_sample *samples,
                        size_t sample_count, size_t exchanged) {
    dmx_answer_begin(answer, "samples");
    whole_field(answer, "exchanged", exchanged);
    open_field(answer, "iterations", '[');
    for (size_t i = 0; i < lane_count; i++) {
        dmx_answer_whole(answer, lanes[i].iterations);
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "wall_ns", '[');
    for (size_t i = 0; i < sample_count; i++) {
        dmx_answer_whole(answer, samples[i].wall_ns);
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "cpu_ns", '[');
    for (size_t i = 0; i < sample_count; i++) {
        dmx_answer_whole(answer, samples[i].cpu_ns);
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "switches", '[');
    for (size_t i = 0; i < sample_count; i++) {
        dmx_answer_whole(answer, samples[i].switches);
    }
    dmx_answer_close(answer, ']');
    open_field(answer, "checksums", '[');
    for (size_t i = 0; i < lane_count; i++) {
        dmx_answer_hex(answer, lanes[i].checksum);
    }
    dmx_answer_close(answer, ']');
    dmx_answer_end(answer);
}

static void put_histogram(dmx_answer *answer, const char *key, const dmx_histogram *histogram) {
    open_field(answer, key, '{');
    whole_field(answer, "count", histogram->count);
    whole_field(answer, "sum_ns", histogram->sum_ns);
    whole_field(answer, "max_ns", histogram->max_ns);
    open_field(answer, "buckets", '[');
    for (size_t i = 0; i < DMX_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0) {
            continue;
        }
        dmx_answer_open(answer, '[');
        dmx_answer_whole(answer, i);
        dmx_answer_whole(answer, histogram->buckets[i]);
        dmx_answer_close(answer, ']');
    }
    dmx_answer_close(answer, ']');
    dmx_answer_close(answer, '}');
}

void dmx_report_latency(dmx_answer *answer, size_t arm, uint64_t operations, const dmx_latency *latency) {
    static dmx_histogram every, fastest; /* 60 KB each: too much for a stack that was moved on purpose */
    dmx_latency_read(latency, &every, &fastest);
    dmx_answer_begin(answer, "latency");
    whole_field(answer, "arm", arm);
    whole_field(answer, "operations", operations);
    put_histogram(answer, "every", &every);
    put_histogram(answer, "fastest", &fastest);
    dmx_answer_end(answer);
}

void dmx_report_metrics(dmx_answer *answer, size_t arm, const double *values, size_t count) {
    dmx_answer_begin(answer, "metrics");
    whole_field(answer, "arm", arm);
    open_field(answer, "values", '[');
    for (size_t i = 0; i < count; i++) {
        dmx_answer_real(answer, values[i]);
    }
    dmx_answer_close(answer, ']');
    dmx_answer_end(answer);
}

/* Reads the beginning of a small file of /proc. */
static bool read_beginning(const char *path, char *text, size_t size) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    ssize_t length = read(descriptor, text, size - 1);
    (void)close(descriptor);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

bool dmx_read_steal(uint64_t *ticks) {
    char text[512];
    unsigned long long steal = 0;
    /* cpu user nice system idle iowait irq softirq steal ... */
    if (!read_beginning("/proc/stat", text, sizeof text) ||
        sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1) {
        return false;
    }
    *ticks = steal;
    return true;
}

/* The high-water mark of this program's own memory. getrusage's ru_maxrss will not do: it survives exec, so a worker
 * would report the size of the Python process that started it. */
static uint64_t highest_rss(const struct rusage *usage) {
    char text[4096];
    const char *found = read_beginning("/proc/self/status", text, sizeof text) ? strstr(text, "VmHWM:") : NULL;
    unsigned long long kilobytes = 0;
    if (found != NULL && sscanf(found, "VmHWM: %llu kB", &kilobytes) == 1) {
        return (uint64_t)kilobytes * 1024;
    }
    return (uint64_t)usage->ru_maxrss * 1024;
}

void dmx_report_resources(dmx_answer *answer, bool steal_known, uint64_t steal_ticks) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    dmx_answer_begin(answer, "resources");
    whole_field(answer, "max_rss_bytes", highest_rss(&usage));
    whole_field(answer, "minor_faults", (uint64_t)usage.ru_minflt);
    whole_field(answer, "major_faults", (uint64_t)usage.ru_majflt);
    dmx_answer_key(answer, "steal_ticks");
    if (steal_known) {
        dmx_answer_whole(answer, steal_ticks);
    } else {
        dmx_answer_null(answer);
    }
    whole_field(answer, "voluntary_switches", (uint64_t)usage.ru_nvcsw);
    whole_field(answer, "involuntary_switches", (uint64_t)usage.ru_nivcsw);
    dmx_answer_end(answer);
}
