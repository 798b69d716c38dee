/* trace.c: maps a trace and believes nothing of it before it was checked. Nothing is copied: the play reads the pages
 * in order. */
#include "trace.h"

#include "crc32.h"
#include "names.h"

#include <string.h>

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t kinds;
    uint64_t operations;
    uint64_t duration_ns;
    uint32_t names_size;
    uint32_t note_size;
    uint32_t crc;
    unsigned char rest[20];
} header;

_Static_assert(sizeof(header) == 64 && sizeof(dmp_operation) == 16, "the parts of a trace file have no holes");

#define REFUSE(...) dmx_refuse(error, error_size, DM_ERROR_CORRUPT, __VA_ARGS__)

static int32_t check_header(const header *head, const dmx_file *file, char *error, size_t error_size) {
    static const unsigned char zeros[sizeof head->rest];
    if (head->version != 1) {
        return REFUSE("it has trace version %u; version 1 can be read", head->version);
    }
    if (head->kinds == 0 || head->kinds > DMP_KINDS) {
        return REFUSE("it names %u kinds of operation; 1 to %d are possible", head->kinds, DMP_KINDS);
    }
    if (head->operations == 0) {
        return REFUSE("it holds no operation");
    }
    if (head->names_size == 0 || head->names_size % 16 != 0) {
        return REFUSE("its names take %u bytes, which is not a multiple of 16", head->names_size);
    }
    if (memcmp(head->rest, zeros, sizeof zeros) != 0) {
        return REFUSE("its header does not end with zeros; was it written by a newer version?");
    }
    uint64_t bytes = 0; /* of everything; the sums of two uint32 cannot overflow */
    if (__builtin_mul_overflow(head->operations, sizeof(dmp_operation), &bytes) ||
        __builtin_add_overflow(bytes, sizeof *head + (uint64_t)head->names_size + head->note_size, &bytes) ||
        bytes != file->size) {
        return REFUSE("it is %zu bytes long, which is not what %llu operations take; it was cut off or damaged",
                      file->size, (unsigned long long)head->operations);
    }
    const uint32_t crc = dmp_crc32((const char *)file->bytes + sizeof *head, file->size - sizeof *head);
    if (crc != head->crc) {
        return REFUSE("its CRC-32 is %08x, but the header says %08x; it was damaged", crc, head->crc);
    }
    return DM_OK;
}

static int32_t read_names(dmp_trace *trace, const header *head, char *error, size_t error_size) {
    const char *at = (const char *)trace->file.bytes + sizeof *head, *end = at + head->names_size;
    for (size_t i = 0; i < head->kinds; i++) {
        const size_t length = strnlen(at, (size_t)(end - at));
        if (length == (size_t)(end - at)) {
            return REFUSE("it names %zu of its %u kinds of operation", i, head->kinds);
        }
        if (!dmp_is_name(at)) {
            return REFUSE("name %zu " DMP_NAME_RULE, i);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(trace->names[j], at) == 0) {
                return REFUSE("it names the operation %s twice", at);
            }
        }
        trace->names[i] = at;
        at += length + 1;
    }
    for (; at < end; at++) {
        if (*at != '\0') {
            return REFUSE("it has more names than its %u kinds of operation", head->kinds);
        }
    }
    trace->kinds = head->kinds;
    return DM_OK;
}

static int32_t check_operations(const dmp_trace *trace, char *error, size_t error_size) {
    uint64_t last = 0;
    for (uint64_t i = 0; i < trace->count; i++) {
        const dmp_operation *operation = &trace->operations[i];
        if (operation->at_ns < last) {
            return REFUSE("operation %llu begins before the one in front of it", (unsigned long long)i);
        }
        if (dmp_kind(operation) >= trace->kinds) {
            return REFUSE("operation %llu is of kind %zu of %zu", (unsigned long long)i, dmp_kind(operation),
                          trace->kinds);
        }
        last = operation->at_ns;
    }
    if (last > trace->duration_ns) {
        return REFUSE("its last operation begins behind its duration");
    }
    return DM_OK;
}

static int32_t read_trace(dmp_trace *trace, char *error, size_t error_size) {
    header head;
    if (trace->file.size < sizeof head || memcmp(trace->file.bytes, "DMTRACE", 8) != 0) {
        return REFUSE("it does not begin with DMTRACE: it is not a trace");
    }
    memcpy(&head, trace->file.bytes, sizeof head);
    int32_t status = check_header(&head, &trace->file, error, error_size);
    if (status == DM_OK) {
        status = read_names(trace, &head, error, error_size);
    }
    if (status != DM_OK) {
        return status;
    }
    const char *operations = (const char *)trace->file.bytes + sizeof head + head.names_size;
    trace->operations = (const dmp_operation *)(const void *)operations;
    trace->count = head.operations;
    trace->duration_ns = head.duration_ns;
    return check_operations(trace, error, error_size);
}

int32_t dmp_trace_open(const char *path, dmp_trace *trace, char *error, size_t error_size) {
    *trace = (dmp_trace){.kinds = 0};
    int32_t status = dmx_file_map(path, &trace->file, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    char reason[DMX_ERROR_SIZE];
    status = read_trace(trace, reason, sizeof reason);
    if (status != DM_OK) {
        dmp_trace_close(trace);
        return dmx_refuse(error, error_size, status, "%s: %s", path, reason);
    }
    return DM_OK;
}

void dmp_trace_close(dmp_trace *trace) {
    dmx_file_unmap(&trace->file);
    *trace = (dmp_trace){.kinds = 0};
}
