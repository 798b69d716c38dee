/* request.c: a strict parser. Whatever is not understood is refused with its line and key: a request that was half
 * obeyed would be a measurement of something else. */
#include "request.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_MAX = 1 << 20, REQUEST_MAX = 1 << 26, OPERATIONS_MAX = 1 << 30, CPU_MAX = 1 << 16 };

typedef struct parser {
    dmx_request *request;
    const char *key;
    size_t line;
    bool ended;
    size_t order_count;                                      /* 0: not given */
    uint64_t prepared_arms[DMX_ARMS], output_arms[DMX_ARMS]; /* checked once all arms are known */
    const char *prepared[DMX_ARMS], *outputs[DMX_ARMS];
    size_t prepared_count, output_count;
    char *error;
    size_t error_size;
} parser;

/* The sentence begins with where: "request line 3: `seed`" + ": '-1' is not ...". */
__attribute__((format(printf, 2, 3))) static int32_t refuse(const parser *in, const char *format, ...) {
    char reason[DMX_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return dmx_refuse(in->error, in->error_size, DMX_REFUSED, "request line %zu: `%.40s`%s", in->line, in->key, reason);
}

__attribute__((format(printf, 2, 3))) static int32_t refuse_whole(const parser *in, const char *format, ...) {
    char reason[DMX_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return dmx_refuse(in->error, in->error_size, DMX_REFUSED, "request: %s", reason);
}

/* ---- values ---- */

static int32_t parse_whole(const parser *in, const char *text, uint64_t maximum, uint64_t *value) {
    uint64_t sum = 0;
    bool fits = text[0] != '\0';
    for (const char *digit = text; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return refuse(in, ": '%.40s' is not a whole number of decimal digits", text);
        }
        fits = fits && !__builtin_mul_overflow(sum, (uint64_t)10, &sum) &&
               !__builtin_add_overflow(sum, (uint64_t)(*digit - '0'), &sum) && sum <= maximum;
    }
    if (text[0] == '\0') {
        return refuse(in, ": a number is missing");
    }
    if (!fits) {
        return refuse(in, ": %.40s is above the maximum %llu", text, (unsigned long long)maximum);
    }
    *value = sum;
    return DM_OK;
}

static int32_t parse_real(const parser *in, const char *text, double *value) {
    char *end = NULL;
    /* strtod also takes hexadecimal, "inf", "nan" and leading blanks; the protocol does not. */
    bool decimal = text[0] != '\0' && text[strspn(text, "0123456789+-.eE")] == '\0';
    *value = decimal ? strtod(text, &end) : 0.0;
    if (!decimal || end == text || *end != '\0') {
        return refuse(in, ": '%.40s' is not a decimal number", text);
    }
    if (!isfinite(*value)) {
        return refuse(in, ": %.40s is too large", text);
    }
    return DM_OK;
}

/* Cuts off the text up to the next space; "" when nothing is left. */
static char *next_field(char **rest) {
    char *field = *rest;
    size_t length = strcspn(field, " ");
    *rest = field + length + (field[length] == ' ');
    field[length] = '\0';
    return field;
}

static int32_t parse_path(const parser *in, const char *text, const char **path) {
    if (text[0] == '\0') {
        return refuse(in, ": a path is missing");
    }
    *path = text;
    return DM_OK;
}

static int32_t parse_size(const parser *in, const char *text, size_t maximum, size_t *value) {
    uint64_t whole = 0;
    int32_t status = parse_whole(in, text, maximum, &whole);
    *value = (size_t)whole;
    return status;
}

/* ---- one function per key ---- */

static int32_t take_task(parser *in, char *rest) {
    static const char *const names[] = {"describe", "prepare", "measure", "latency", "spin", "load"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(rest, names[i]) == 0) {
            in->request->task = (dmx_task)i;
            return DM_OK;
        }
    }
    return refuse(in, ": '%.40s' is not one of describe, prepare, measure, latency, spin, load", rest);
}

static int32_t take_load(parser *in, char *rest) {
    static const char *const names[] = {"spin", "bursts", "bandwidth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(rest, names[i]) == 0) {
            in->request->load = (dmx_load_kind)(DMX_LOAD_SPIN + i);
            return DM_OK;
        }
    }
    return refuse(in, ": '%.40s' is not one of spin, bursts, bandwidth", rest);
}

static int32_t take_library(parser *in, char *rest) {
    dmx_request *request = in->request;
    if (request->library_count == DMX_LIBRARIES) {
        return refuse(in, ": more than %d libraries", DMX_LIBRARIES);
    }
    if (rest[0] != '/') {
        return refuse(in, ": '%.200s' is not an absolute path", rest);
    }
    request->libraries[request->library_count++] = rest;
    return DM_OK;
}

static int32_t take_arm(parser *in, char *rest) {
    dmx_request *request = in->request;
    if (request->arm_count == DMX_ARMS) {
        return refuse(in, ": more than %d arms; a schedule has one digit per sample", DMX_ARMS);
    }
    dmx_request_arm *arm = &request->arms[request->arm_count];
    uint64_t library = 0;
    int32_t status = parse_whole(in, next_field(&rest), DMX_LIBRARIES - 1, &library);
    arm->library = (size_t)library;
    arm->kernel = next_field(&rest);
    arm->variant = next_field(&rest);
    if (status == DM_OK && (arm->kernel[0] == '\0' || arm->variant[0] == '\0')) {
        return refuse(in, ": needs LIBRARY KERNEL VARIANT WORK");
    }
    if (status == DM_OK) {
        status = parse_real(in, rest, &arm->work);
    }
    if (status == DM_OK && (arm->work < 1e-3 || arm->work > 1e3)) {
        return refuse(in, ": WORK %g is outside of 0.001 to 1000", arm->work);
    }
    request->arm_count++;
    return status;
}

static int32_t take_arm_path(parser *in, char *rest, uint64_t *arms, const char **paths, size_t *count) {
    if (*count == DMX_ARMS) {
        return refuse(in, ": given more than %d times", DMX_ARMS);
    }
    int32_t status = parse_whole(in, next_field(&rest), DMX_ARMS - 1, &arms[*count]);
    for (size_t i = 0; status == DM_OK && i < *count; i++) {
        if (arms[i] == arms[*count]) {
            return refuse(in, ": given twice for arm %llu", (unsigned long long)arms[i]);
        }
    }
    if (status == DM_OK) {
        status = parse_path(in, rest, &paths[*count]);
    }
    ++*count;
    return status;
}

static int32_t take_prepared(parser *in, char *rest) {
    return take_arm_path(in, rest, in->prepared_arms, in->prepared, &in->prepared_count);
}

static int32_t take_output(parser *in, char *rest) {
    return take_arm_path(in, rest, in->output_arms, in->outputs, &in->output_count);
}

static int32_t take_parameter(parser *in, char *rest) {
    dmx_request *request = in->request;
    if (request->setting_count == DMX_SETTINGS) {
        return refuse(in, ": more than %d parameters", DMX_SETTINGS);
    }
    dmx_setting *setting = &request->settings[request->setting_count];
    setting->name = next_field(&rest);
    if (setting->name[0] == '\0') {
        return refuse(in, ": needs NAME VALUE");
    }
    for (size_t i = 0; i < request->setting_count; i++) {
        if (strcmp(request->settings[i].name, setting->name) == 0) {
            return refuse(in, ": %.64s is given twice", setting->name);
        }
    }
    request->setting_count++;
    return parse_real(in, rest, &setting->value);
}

static int32_t take_cpu(parser *in, char *rest) {
    in->request->pinned = true;
    return parse_size(in, rest, CPU_MAX, &in->request->cpu);
}

static int32_t take_placement(parser *in, char *rest) {
    int32_t status = parse_size(in, rest, 4095, &in->request->placement);
    if (status == DM_OK && in->request->placement % 64 != 0) {
        return refuse(in, ": %zu is not a multiple of 64", in->request->placement);
    }
    return status;
}

static int32_t take_order(parser *in, char *rest) {
    bool seen[DMX_ARMS] = {false};
    size_t count = 0;
    for (; rest[0] != '\0' && count < DMX_ARMS; count++) {
        uint64_t arm = 0;
        int32_t status = parse_whole(in, next_field(&rest), DMX_ARMS - 1, &arm);
        if (status != DM_OK) {
            return status;
        }
        if (seen[arm]) {
            return refuse(in, ": arm %llu is there twice", (unsigned long long)arm);
        }
        seen[arm] = true;
        in->request->order[count] = (uint8_t)arm;
    }
    in->order_count = count;
    if (count == 0) {
        return refuse(in, ": names no arm");
    }
    return rest[0] == '\0' ? DM_OK : refuse(in, ": more than %d arms", DMX_ARMS);
}

static int32_t take_schedule(parser *in, char *rest) {
    size_t count = strspn(rest, "0123456789");
    if (rest[count] != '\0' || count == 0) {
        return refuse(in, ": must be one or more digits, one per sample");
    }
    for (size_t i = 0; i < count; i++) {
        rest[i] = (char)(rest[i] - '0');
    }
    in->request->schedule = (uint8_t *)rest;
    in->request->schedule_count = count;
    return DM_OK;
}

static int32_t take_seed(parser *in, char *rest) {
    return parse_whole(in, rest, UINT64_MAX, &in->request->seed);
}
static int32_t take_data(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->data);
}
static int32_t take_queries(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->queries);
}
static int32_t take_stack(parser *in, char *rest) {
    return parse_size(in, rest, STACK_MAX, &in->request->stack);
}
static int32_t take_check(parser *in, char *rest) {
    return parse_whole(in, rest, OPERATIONS_MAX, &in->request->check);
}
static int32_t take_warmup(parser *in, char *rest) {
    return parse_whole(in, rest, INT64_MAX, &in->request->warmup_ns);
}
static int32_t take_target(parser *in, char *rest) {
    return parse_whole(in, rest, INT64_MAX, &in->request->target_ns);
}
static int32_t take_passes(parser *in, char *rest) {
    return parse_whole(in, rest, OPERATIONS_MAX, &in->request->passes);
}
static int32_t take_duration(parser *in, char *rest) {
    return parse_whole(in, rest, INT64_MAX, &in->request->duration_ns);
}
static int32_t take_path(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->path);
}

static int32_t take_exchange(parser *in, char *rest) {
    return parse_size(in, rest, REQUEST_MAX, &in->request->exchange);
}

static int32_t take_iterations(parser *in, char *rest) {
    return parse_whole(in, rest, (uint64_t)1 << 50, &in->request->iterations); /* times WORK it still fits a double */
}

static int32_t take_operations(parser *in, char *rest) {
    return parse_whole(in, rest, OPERATIONS_MAX, &in->request->operations);
}

static int32_t take_end(parser *in, char *rest) {
    in->ended = true;
    return rest[0] == '\0' ? DM_OK : refuse(in, ": takes no value");
}

static const struct {
    const char *key;
    int32_t (*take)(parser *in, char *rest);
    bool repeated;
} keys[] = {
    {"task", take_task, false},
    {"library", take_library, true},
    {"arm", take_arm, true},
    {"prepared", take_prepared, true},
    {"parameter", take_parameter, true},
    {"seed", take_seed, false},
    {"data", take_data, false},
    {"queries", take_queries, false},
    {"cpu", take_cpu, false},
    {"stack", take_stack, false},
    {"placement", take_placement, false},
    {"order", take_order, false},
    {"check", take_check, false},
    {"warmup", take_warmup, false},
    {"iterations", take_iterations, false},
    {"target", take_target, false},
    {"schedule", take_schedule, false},
    {"exchange", take_exchange, false},
    {"operations", take_operations, false},
    {"passes", take_passes, false},
    {"duration", take_duration, false},
    {"load", take_load, false},
    {"output", take_output, true},
    {"path", take_path, false},
    {"end", take_end, false},
};

enum { KEYS = sizeof keys / sizeof *keys };

static int32_t take_line(parser *in, char *line, bool seen[KEYS]) {
    char *rest = line;
    in->key = next_field(&rest);
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].key, in->key) != 0) {
            continue;
        }
        if (seen[i] && !keys[i].repeated) {
            return refuse(in, ": given twice");
        }
        seen[i] = true;
        return keys[i].take(in, rest);
    }
    return refuse(in, " is not a key of protocol version 1");
}

/* ---- what only the whole request shows ---- */

static int32_t check_arms(parser *in) {
    dmx_request *request = in->request;
    for (size_t i = 0; i < request->arm_count; i++) {
        if (request->arms[i].library >= request->library_count) {
            return refuse_whole(in, "`arm` %zu uses library %zu of %zu", i, request->arms[i].library,
                                request->library_count);
        }
    }
    for (size_t i = 0; i < in->prepared_count; i++) {
        if (in->prepared_arms[i] >= request->arm_count) {
            return refuse_whole(in, "`prepared` names arm %llu of %zu", (unsigned long long)in->prepared_arms[i],
                                request->arm_count);
        }
        request->arms[in->prepared_arms[i]].prepared = in->prepared[i];
    }
    for (size_t i = 0; i < in->output_count; i++) {
        if (in->output_arms[i] >= request->arm_count) {
            return refuse_whole(in, "`output` names arm %llu of %zu", (unsigned long long)in->output_arms[i],
                                request->arm_count);
        }
        request->arms[in->output_arms[i]].output = in->outputs[i];
    }
    for (size_t i = 0; i < request->schedule_count; i++) {
        if (request->schedule[i] >= request->arm_count) {
            return refuse_whole(in, "`schedule` entry %zu is arm %d of %zu", i, request->schedule[i],
                                request->arm_count);
        }
    }
    return DM_OK;
}

static int32_t check_order(parser *in) {
    dmx_request *request = in->request;
    if (in->order_count == 0) {
        for (size_t i = 0; i < request->arm_count; i++) {
            request->order[i] = (uint8_t)i;
        }
        return DM_OK;
    }
    /* Distinct, all below the count, and as many: a permutation. */
    for (size_t i = 0; i < in->order_count; i++) {
        if (request->order[i] >= request->arm_count) {
            return refuse_whole(in, "`order` names arm %d of %zu", request->order[i], request->arm_count);
        }
    }
    if (in->order_count != request->arm_count) {
        return refuse_whole(in, "`order` names %zu of %zu arms; every arm once", in->order_count, request->arm_count);
    }
    return DM_OK;
}

static int32_t check_task(parser *in) {
    const dmx_request *request = in->request;
    if ((request->task == DMX_LOAD) != (request->load != DMX_LOAD_NONE)) {
        return refuse_whole(in, request->task == DMX_LOAD ? "`task load` needs `load`: spin, bursts or bandwidth"
                                                          : "`load` is for `task load` alone");
    }
    if (request->task == DMX_LOAD) {
        return request->duration_ns > 0 ? DM_OK : refuse_whole(in, "`task load` needs `duration`");
    }
    const bool arms = request->task != DMX_DESCRIBE;
    if (request->library_count == 0) {
        return refuse_whole(in, "no `library`");
    }
    if (arms && request->arm_count == 0) {
        return refuse_whole(in, "no `arm`");
    }
    if (request->task == DMX_PREPARE && request->path == NULL) {
        return refuse_whole(in, "`task prepare` needs `path`: the file to write");
    }
    if (request->task == DMX_MEASURE && request->schedule_count == 0) {
        return refuse_whole(in, "`task measure` needs `schedule`");
    }
    if (request->task == DMX_MEASURE && request->iterations == 0 && request->target_ns == 0) {
        return refuse_whole(in, "`task measure` needs `iterations`, or `target` to calibrate them");
    }
    if (request->exchange > 0 && (request->arm_count < 2 || request->exchange >= request->schedule_count)) {
        return refuse_whole(in, "`exchange` needs two arms and a later sample in `schedule`");
    }
    if (request->task == DMX_LATENCY && (request->operations == 0 || request->passes == 0)) {
        return refuse_whole(in, "`task latency` needs `operations` and `passes`");
    }
    if (request->task == DMX_SPIN && request->duration_ns == 0) {
        return refuse_whole(in, "`task spin` needs `duration`");
    }
    return DM_OK;
}

static bool is_first_line(const char *line) {
    return strcmp(line, "dualmem-worker 1") == 0;
}

int32_t dmx_request_parse(dmx_request *request, char *text, size_t size, char *error, size_t error_size) {
    *request = (dmx_request){.seed = 1, .check = 1};
    parser in = {.request = request, .key = "", .error = error, .error_size = error_size};
    bool seen[KEYS] = {false};
    for (char *line = text, *end; !in.ended; line = end + 1) {
        in.line++;
        end = memchr(line, '\n', size - (size_t)(line - text));
        if (end == NULL) {
            return refuse_whole(&in, "ends without the line `end`");
        }
        *end = '\0';
        if (strlen(line) != (size_t)(end - line)) {
            return refuse_whole(&in, "line %zu holds a zero byte", in.line);
        }
        if (in.line == 1 && !is_first_line(line)) {
            return refuse_whole(
                &in, "the first line must be `dualmem-worker 1`; this worker speaks protocol version 1 only");
        }
        int32_t status = in.line == 1 ? DM_OK : take_line(&in, line, seen);
        if (status != DM_OK) {
            return status;
        }
    }
    if (!seen[0]) {
        return refuse_whole(&in, "no `task`");
    }
    int32_t status = check_task(&in);
    if (status == DM_OK) {
        status = check_arms(&in);
    }
    return status == DM_OK ? check_order(&in) : status;
}

/* Whether the line `end` is there: only what came with the last read is looked at, and 4 bytes before it. */
static bool has_end(const char *text, size_t size, size_t from) {
    const char *at = text + (from > 4 ? from - 4 : 0);
    while ((at = memmem(at, size - (size_t)(at - text), "end\n", 4)) != NULL) {
        if (at == text || at[-1] == '\n') {
            return true;
        }
        at++;
    }
    return false;
}

int32_t dmx_request_read(int descriptor, char **text, size_t *size, char *error, size_t error_size) {
    size_t capacity = 1 << 16, used = 0;
    char *buffer = malloc(capacity + 1);
    while (buffer != NULL) {
        ssize_t got = read(descriptor, buffer + used, capacity - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            free(buffer);
            return dmx_refuse(error, error_size, DM_ERROR_IO, "request: cannot read standard input: %s",
                              strerror(errno));
        }
        used += (size_t)got;
        if (got == 0 || has_end(buffer, used, used - (size_t)got)) {
            buffer[used] = '\0';
            *text = buffer;
            *size = used;
            return DM_OK;
        }
        if (used < capacity) {
            continue;
        }
        if (capacity >= REQUEST_MAX) {
            free(buffer);
            return dmx_refuse(error, error_size, DMX_REFUSED, "request: longer than %d bytes", REQUEST_MAX);
        }
        capacity *= 2;
        char *larger = realloc(buffer, capacity + 1);
        if (larger == NULL) {
            free(buffer);
        }
        buffer = larger;
    }
    return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for the request");
}
