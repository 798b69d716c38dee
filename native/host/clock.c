/* clock.c: the two clocks, and how far the first can be trusted.
 *
 * CLOCK_MONOTONIC is read in user space (vdso) for about 20-30 ns; the time daemon may slew it by at most 500 ppm, the
 * same for all arms of an interleaved schedule. CLOCK_THREAD_CPUTIME_ID is a system call (about 200 ns), so it is read
 * outside of the pair of wall readings. */
#include "host.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t id) {
    struct timespec time;
    (void)clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t dmx_now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t dmx_thread_cpu(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void read_source(char *source, size_t size) {
    source[0] = '\0';
    int descriptor = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    ssize_t length = read(descriptor, source, size - 1);
    (void)close(descriptor);
    source[length > 0 ? length : 0] = '\0';
    source[strcspn(source, "\n")] = '\0';
}

void dmx_clock_measure(dmx_clock *clock) {
    enum { batches = 16, calls = 32 }; /* about 15 us with a TSC: the best batch is one without an interruption */
    *clock = (dmx_clock){.name = "CLOCK_MONOTONIC"};
    read_source(clock->source, sizeof clock->source);
    uint64_t step = UINT64_MAX, fastest = UINT64_MAX;
    for (int batch = 0; batch < batches; batch++) {
        uint64_t begin = dmx_now(), last = begin;
        for (int call = 0; call < calls; call++) {
            uint64_t now = dmx_now();
            if (now > last && now - last < step) {
                step = now - last;
            }
            last = now;
        }
        if (last - begin < fastest) {
            fastest = last - begin;
        }
    }
    struct timespec stated;
    (void)clock_getres(CLOCK_MONOTONIC, &stated);
    /* A clock coarser than a whole batch shows no step; then its own word is all there is. */
    clock->resolution_ns = step == UINT64_MAX ? (double)stated.tv_sec * 1e9 + (double)stated.tv_nsec : (double)step;
    clock->cost_ns = (double)fastest / calls;
}
