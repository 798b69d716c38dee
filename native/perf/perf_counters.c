/* perf_counters.c: see dualmem/perf_counters.h.
 *
 * The hardware's counters are one group, so that they run at the same time and their ratios mean something. The software's are
 * not asked of perf_event_open: a context switch happens in the kernel, which a user may not be allowed to count, and then perf says 0;
 * getrusage knows it for everyone. */
#include "dualmem/perf_counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "store/memory.h"
#include "store/store.h"

#include "store/poison.h"

enum { HARDWARE = 5, REASON = 160 };

static const char *const names[DM_PERF_COUNT] = {"cycles",         "instructions", "cache_references", "cache_misses",
                                                 "branch_misses",  "task_clock_ns", "page_faults",      "context_switches"};

static const uint64_t events[HARDWARE] = {PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS,
                                          PERF_COUNT_HW_CACHE_REFERENCES, PERF_COUNT_HW_CACHE_MISSES,
                                          PERF_COUNT_HW_BRANCH_MISSES};

typedef struct software {
    uint64_t clock_ns;
    uint64_t faults;
    uint64_t switches;
} software;

struct dm_perf_counters {
    int files[HARDWARE]; /* -1: not open */
    int leader;          /* file that leads the group, -1: none */
    uint64_t enabled_before; /* times of the group at the start: a reset sets the counts to zero, not the times */
    uint64_t running_before;
    char reasons[DM_PERF_COUNT][REASON];
    software began;
    software ended;
    enum { NEVER, STARTED, STOPPED } state;
};

/* What the kernel lets others than root count, or -99 when nobody knows. */
static int paranoid(void) {
    int level = -99;
    FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "r");
    if (file != NULL) {
        if (fscanf(file, "%d", &level) != 1) {
            level = -99;
        }
        (void)fclose(file);
    }
    return level;
}

static void explain(char *reason, int error) {
    switch (error) {
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
        (void)snprintf(reason, REASON, "the processor, or the virtual machine it is shown through, has no such counter");
        break;
    case EACCES:
    case EPERM:
        if (paranoid() > 2) {
            (void)snprintf(reason, REASON, "not allowed: kernel.perf_event_paranoid is %d, 2 or less is needed, or CAP_PERFMON",
                           paranoid());
        } else {
            (void)snprintf(reason, REASON, "a container or sandbox forbids perf_event_open");
        }
        break;
    case ENOSYS:
        (void)snprintf(reason, REASON, "this kernel, or its system call filter, has no perf_event_open");
        break;
    default:
        (void)snprintf(reason, REASON, "perf_event_open: %s", strerror(error));
    }
}

static int open_event(uint64_t event, int leader) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof(attributes));
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof(attributes);
    attributes.config = event;
    attributes.disabled = leader == -1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
}

int32_t dm_perf_create(dm_perf_counters **result, char *error, size_t error_size) {
    *result = NULL;
    dm_memory account = {0};
    dm_perf_counters *counters = dm_memory_allocate(&account, sizeof(*counters), DM_CACHE_LINE, 0);
    if (counters == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for performance counters");
    }
    counters->leader = -1;
    for (int i = 0; i < HARDWARE; i++) {
        counters->files[i] = open_event(events[i], counters->leader);
        if (counters->files[i] < 0) {
            explain(counters->reasons[i], errno);
        } else if (counters->leader < 0) {
            counters->leader = counters->files[i];
        }
    }
    *result = counters;
    return DM_OK;
}

void dm_perf_destroy(dm_perf_counters *counters) {
    if (counters == NULL) {
        return;
    }
    for (int i = 0; i < HARDWARE; i++) {
        if (counters->files[i] >= 0) {
            (void)close(counters->files[i]);
        }
    }
    dm_memory account = {0};
    atomic_store_explicit(&account.bytes, sizeof(*counters), memory_order_relaxed);
    dm_memory_free(&account, counters);
}

const char *dm_perf_name(int32_t counter) {
    return counter >= 0 && counter < DM_PERF_COUNT ? names[counter] : NULL;
}

const char *dm_perf_reason(const dm_perf_counters *counters, int32_t counter) {
    return counter >= 0 && counter < DM_PERF_COUNT ? counters->reasons[counter] : "there is no such counter";
}

static software now(void) {
    struct rusage usage;
    struct timespec clock;
    memset(&usage, 0, sizeof(usage));
    memset(&clock, 0, sizeof(clock));
    (void)getrusage(RUSAGE_THREAD, &usage);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &clock);
    return (software){.clock_ns = (uint64_t)clock.tv_sec * 1000000000u + (uint64_t)clock.tv_nsec,
                      .faults = (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt,
                      .switches = (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw};
}

/* What read(2) gives for a group, perf_event_open(2). */
typedef struct group_reading {
    uint64_t count;
    uint64_t enabled;
    uint64_t running;
    struct {
        uint64_t value;
        uint64_t id;
    } values[HARDWARE];
} group_reading;

void dm_perf_start(dm_perf_counters *counters) {
    counters->state = STARTED;
    counters->began = now();
    if (counters->leader >= 0) {
        (void)ioctl(counters->leader, PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
        (void)ioctl(counters->leader, PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP);
        group_reading group;
        memset(&group, 0, sizeof(group));
        (void)read(counters->leader, &group, sizeof(group));
        counters->enabled_before = group.enabled;
        counters->running_before = group.running;
        (void)ioctl(counters->leader, PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
    }
}

void dm_perf_stop(dm_perf_counters *counters) {
    if (counters->state != STARTED) {
        return;
    }
    if (counters->leader >= 0) {
        (void)ioctl(counters->leader, PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
    }
    counters->ended = now();
    counters->state = STOPPED;
}

static void read_group(dm_perf_counters *counters, dm_perf_reading *readings) {
    group_reading group;
    memset(&group, 0, sizeof(group));
    int refused = counters->leader >= 0 && read(counters->leader, &group, sizeof(group)) <= 0;
    for (int i = 0, place = 0; i < HARDWARE; i++) {
        if (counters->files[i] < 0) {
            continue;
        }
        uint64_t running = group.running - counters->running_before;
        if (refused || running == 0) {
            (void)snprintf(counters->reasons[i], REASON, "it never ran: others hold the processor's counters");
            continue;
        }
        double share = (double)running / (double)(group.enabled - counters->enabled_before);
        readings[i] = (dm_perf_reading){1, (double)group.values[place].value / share, share};
        counters->reasons[i][0] = '\0';
        place++;
    }
}

void dm_perf_read(dm_perf_counters *counters, dm_perf_reading readings[DM_PERF_COUNT]) {
    for (int i = 0; i < DM_PERF_COUNT; i++) {
        readings[i] = (dm_perf_reading){0, NAN, 0.0};
    }
    if (counters->state != STOPPED) {
        return;
    }
    read_group(counters, readings);
    readings[DM_PERF_TASK_CLOCK] = (dm_perf_reading){1, (double)(counters->ended.clock_ns - counters->began.clock_ns), 1.0};
    readings[DM_PERF_PAGE_FAULTS] = (dm_perf_reading){1, (double)(counters->ended.faults - counters->began.faults), 1.0};
    readings[DM_PERF_CONTEXT_SWITCHES] = (dm_perf_reading){1, (double)(counters->ended.switches - counters->began.switches), 1.0};
}
