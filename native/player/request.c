/* request.c: a strict parser, like the worker's: a request that was half obeyed would be a measurement of something
 * else. */
#include "request.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CPU_MAX = 1 << 16, PLACEMENT_MAX = 4095 };
static const double SPEED_MAX = 1e6;

typedef struct parser {
    dmp_request *request;
    const char *key;
    size_t line;
    size_t order_count; /* 0: not given */
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

/* ---- values ---- */

static int32_t parse_whole(const parser *in, const char *text, uint64_t minimum, uint64_t maximum, uint64_t *value) {
    uint64_t sum = 0;
    bool fits = true;
    if (text[0] == '\0') {
        return refuse(in, ": a number is missing");
    }
    for (const char *digit = text; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return refuse(in, ": '%.40s' is not a whole number of decimal digits", text);
        }
        fits = fits && !__builtin_mul_overflow(sum, (uint64_t)10, &sum) &&
               !__builtin_add_overflow(sum, (uint64_t)(*digit - '0'), &sum);
    }
    if (!fits || sum < minimum || sum > maximum) {
        return refuse(in, ": %.40s is outside of %llu to %llu", text, (unsigned long long)minimum,
                      (unsigned long long)maximum);
    }
    *value = sum;
    return DM_OK;
}

static int32_t parse_size(const parser *in, const char *text, size_t maximum, size_t *value) {
    uint64_t whole = 0;
    int32_t status = parse_whole(in, text, 0, maximum, &whole);
    *value = (size_t)whole;
    return status;
}

static int32_t parse_threads(const parser *in, const char *text, uint64_t maximum, uint32_t *threads) {
    uint64_t whole = 0;
    int32_t status = parse_whole(in, text, 1, maximum, &whole);
    *threads = (uint32_t)whole;
    return status;
}

static int32_t parse_real(const parser *in, const char *text, double *value) {
    char *end = NULL;
    /* strtod also takes hexadecimal, "inf", "nan" and leading blanks; the protocol does not. */
    const bool decimal = text[0] != '\0' && text[strspn(text, "0123456789+-.eE")] == '\0';
    *value = decimal ? strtod(text, &end) : 0.0;
    if (!decimal || end == text || *end != '\0' || !isfinite(*value)) {
        return refuse(in, ": '%.40s' is not a decimal number", text);
    }
    return DM_OK;
}

/* Cuts off the text up to the next space; "" when nothing is left. */
static char *next_field(char **rest) {
    char *field = *rest;
    const size_t length = strcspn(field, " ");
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

/* ---- one function per key of the set-up ---- */

static int32_t take_task(parser *in, char *rest) {
    if (strcmp(rest, "describe") != 0 && strcmp(rest, "play") != 0) {
        return refuse(in, ": '%.40s' is not one of describe, play", rest);
    }
    in->request->task = rest[0] == 'd' ? DMP_DESCRIBE : DMP_PLAY;
    return DM_OK;
}

static int32_t take_library(parser *in, char *rest) {
    dmp_request *request = in->request;
    if (request->library_count == DMP_LIBRARIES) {
        return refuse(in, ": more than %d libraries", DMP_LIBRARIES);
    }
    if (rest[0] != '/') {
        return refuse(in, ": '%.200s' is not an absolute path", rest);
    }
    request->libraries[request->library_count++] = rest;
    return DM_OK;
}

static int32_t take_arm(parser *in, char *rest) {
    dmp_request *request = in->request;
    if (request->arm_count == DMP_ARMS) {
        return refuse(in, ": more than %d arms", DMP_ARMS);
    }
    dmp_request_arm *arm = &request->arms[request->arm_count];
    int32_t status = parse_size(in, next_field(&rest), DMP_LIBRARIES - 1, &arm->library);
    arm->workload = next_field(&rest);
    arm->variant = next_field(&rest);
    if (status == DM_OK && (arm->workload[0] == '\0' || arm->variant[0] == '\0' || rest[0] != '\0')) {
        return refuse(in, ": needs LIBRARY WORKLOAD VARIANT");
    }
    request->arm_count++;
    return status;
}

static int32_t take_parameter(parser *in, char *rest) {
    dmp_request *request = in->request;
    if (request->setting_count == DMP_SETTINGS) {
        return refuse(in, ": more than %d parameters", DMP_SETTINGS);
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

static int32_t take_placement(parser *in, char *rest) {
    int32_t status = parse_size(in, rest, PLACEMENT_MAX, &in->request->placement);
    if (status == DM_OK && in->request->placement % 64 != 0) {
        return refuse(in, ": %zu is not a multiple of 64", in->request->placement);
    }
    return status;
}

static int32_t take_order(parser *in, char *rest) {
    bool seen[DMP_ARMS] = {false};
    for (; rest[0] != '\0'; in->order_count++) {
        size_t arm = 0;
        int32_t status = parse_size(in, next_field(&rest), DMP_ARMS - 1, &arm);
        if (status != DM_OK) {
            return status;
        }
        if (seen[arm]) {
            return refuse(in, ": arm %zu is there twice", arm);
        }
        seen[arm] = true;
        in->request->order[in->order_count] = (uint8_t)arm;
    }
    return in->order_count > 0 ? DM_OK : refuse(in, ": names no arm");
}

static int32_t take_cpu(parser *in, char *rest) {
    dmp_request *request = in->request;
    while (rest[0] != '\0') {
        if (request->cpu_count == DMP_CPUS) {
            return refuse(in, ": more than %d processors", DMP_CPUS);
        }
        int32_t status = parse_size(in, next_field(&rest), CPU_MAX, &request->cpus[request->cpu_count++]);
        if (status != DM_OK) {
            return status;
        }
    }
    return request->cpu_count > 0 ? DM_OK : refuse(in, ": names no processor");
}

static int32_t take_threads(parser *in, char *rest) {
    return parse_threads(in, rest, DMP_THREADS, &in->request->threads);
}
static int32_t take_seed(parser *in, char *rest) {
    return parse_whole(in, rest, 0, UINT64_MAX, &in->request->seed);
}
static int32_t take_data(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->data);
}
static int32_t take_queries(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->queries);
}
static int32_t take_trace(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->trace);
}
static int32_t take_times(parser *in, char *rest) {
    return parse_path(in, rest, &in->request->times);
}

static const struct {
    const char *key;
    int32_t (*take)(parser *in, char *rest);
    bool repeated;
} keys[] = {
    {"task", take_task, false},       {"library", take_library, true},
    {"arm", take_arm, true},          {"parameter", take_parameter, true},
    {"seed", take_seed, false},       {"data", take_data, false},
    {"queries", take_queries, false}, {"placement", take_placement, false},
    {"order", take_order, false},     {"threads", take_threads, false},
    {"cpu", take_cpu, false},         {"trace", take_trace, false},
    {"times", take_times, false},
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

/* ---- what only the whole set-up shows ---- */

#define REFUSE_WHOLE(...) dmx_refuse(in->error, in->error_size, DMX_REFUSED, "request: " __VA_ARGS__)

static int32_t check_order(parser *in) {
    dmp_request *request = in->request;
    for (size_t i = 0; in->order_count == 0 && i < request->arm_count; i++) {
        request->order[i] = (uint8_t)i;
    }
    /* Distinct, all below the count, and as many: a permutation. */
    for (size_t i = 0; i < in->order_count; i++) {
        if (request->order[i] >= request->arm_count) {
            return REFUSE_WHOLE("`order` names arm %d of %zu", request->order[i], request->arm_count);
        }
    }
    if (in->order_count != 0 && in->order_count != request->arm_count) {
        return REFUSE_WHOLE("`order` names %zu of %zu arms; every arm once", in->order_count, request->arm_count);
    }
    return DM_OK;
}

static int32_t check_whole(parser *in, bool task_given) {
    const dmp_request *request = in->request;
    if (!task_given) {
        return REFUSE_WHOLE("no `task`");
    }
    if (request->library_count == 0) {
        return REFUSE_WHOLE("no `library`");
    }
    if (request->task == DMP_PLAY && request->arm_count == 0) {
        return REFUSE_WHOLE("no `arm`");
    }
    if (request->task == DMP_PLAY && request->trace == NULL) {
        return REFUSE_WHOLE("`task play` needs `trace`");
    }
    for (size_t i = 0; i < request->arm_count; i++) {
        if (request->arms[i].library >= request->library_count) {
            return REFUSE_WHOLE("`arm` %zu uses library %zu of %zu", i, request->arms[i].library,
                                request->library_count);
        }
    }
    return check_order(in);
}

/* ---- lines ---- */

/* The next line without its newline; it belongs to the caller. `missing`: the line that a request must not end without.
 */
static int32_t read_line(dmp_input *input, const char *missing, char **line, char *error, size_t error_size) {
    size_t capacity = 0;
    *line = NULL;
    errno = 0;
    const ssize_t length = getline(line, &capacity, input->stream);
    const int reason = errno;
    input->line++;
    int32_t status = DM_OK;
    if (length < 0 && !feof(input->stream)) {
        status =
            dmx_refuse(error, error_size, DM_ERROR_IO, "request: cannot read standard input: %s", strerror(reason));
    } else if (length <= 0 || (*line)[length - 1] != '\n') {
        status = dmx_refuse(error, error_size, DMX_REFUSED, "request: ends without the line `%s`", missing);
    } else if (strlen(*line) != (size_t)length) {
        status = dmx_refuse(error, error_size, DMX_REFUSED, "request: line %zu holds a zero byte", input->line);
    }
    if (status != DM_OK) {
        free(*line);
        *line = NULL;
    } else {
        (*line)[length - 1] = '\0';
    }
    return status;
}

int32_t dmp_request_read(dmp_input *input, dmp_request *request, char *error, size_t error_size) {
    *request = (dmp_request){.seed = 1, .threads = 1};
    parser parsed = {.request = request, .error = error, .error_size = error_size}, *in = &parsed;
    bool seen[KEYS] = {false};
    for (;;) {
        char *line = NULL;
        int32_t status = read_line(input, "begin", &line, error, error_size);
        if (status != DM_OK) {
            return status;
        }
        in->line = input->line;
        if (request->line_count == DMP_LINES) {
            free(line);
            return REFUSE_WHOLE("longer than %d lines", DMP_LINES);
        }
        request->lines[request->line_count++] = line;
        if (in->line == 1) {
            if (strcmp(line, "dualmem-player 1") != 0) {
                return REFUSE_WHOLE(
                    "the first line must be `dualmem-player 1`; this player speaks protocol version 1 only");
            }
        } else if (strcmp(line, "begin") == 0) {
            return check_whole(in, seen[0]);
        } else {
            status = take_line(in, line, seen);
        }
        if (status != DM_OK) {
            return status;
        }
    }
}

void dmp_request_free(dmp_request *request) {
    for (size_t i = 0; i < request->line_count; i++) {
        free(request->lines[i]);
    }
    *request = (dmp_request){.line_count = 0};
}

/* ARM FIRST COUNT open|closed SPEED THREADS */
static int32_t take_play(parser *in, char *rest, uint64_t operations, dmp_play *play) {
    const dmp_request *request = in->request;
    int32_t status = parse_size(in, next_field(&rest), request->arm_count - 1, &play->arm);
    if (status == DM_OK) {
        status = parse_whole(in, next_field(&rest), 0, operations - 1, &play->first);
    }
    if (status == DM_OK) {
        status = parse_whole(in, next_field(&rest), 1, operations - play->first, &play->count);
    }
    const char *mode = next_field(&rest);
    play->open = strcmp(mode, "open") == 0;
    if (status == DM_OK && !play->open && strcmp(mode, "closed") != 0) {
        return refuse(in, ": '%.40s' is not one of open, closed", mode);
    }
    if (status == DM_OK) {
        status = parse_real(in, next_field(&rest), &play->speed);
    }
    if (status == DM_OK && !(play->speed >= 1 / SPEED_MAX && play->speed <= SPEED_MAX)) {
        return refuse(in, ": the speed %g is outside of %g to %g", play->speed, 1 / SPEED_MAX, SPEED_MAX);
    }
    if (status == DM_OK) {
        status = parse_threads(in, next_field(&rest), request->threads, &play->threads);
    }
    if (status == DM_OK && rest[0] != '\0') {
        return refuse(in, ": takes ARM FIRST COUNT open|closed SPEED THREADS and nothing more");
    }
    return status;
}

int32_t dmp_command_read(dmp_input *input, const dmp_request *request, uint64_t operations, dmp_command *command,
                         dmp_play *play, char *error, size_t error_size) {
    char *line = NULL;
    int32_t status = read_line(input, "end", &line, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    char *rest = line;
    parser in = {
        .request = (dmp_request *)(uintptr_t)request, .line = input->line, .error = error, .error_size = error_size};
    in.key = next_field(&rest);
    if (strcmp(in.key, "play") == 0) {
        *command = DMP_COMMAND_PLAY;
        status = take_play(&in, rest, operations, play);
    } else if (strcmp(in.key, "end") == 0) {
        *command = DMP_COMMAND_END;
        status = rest[0] == '\0' ? DM_OK : refuse(&in, ": takes no value");
    } else {
        status = refuse(&in, " is not `play` or `end`");
    }
    free(line);
    return status;
}
