/* load.c: `task load`, other people's work on this machine. It ends by itself after `duration`, and with its parent: nothing
 * is left behind whatever happens to the caller. */
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { BURST_SHORTEST_NS = 20000000, BURST_LONGEST_NS = 200000000 };
static const size_t STREAM_BYTES = (size_t)64 << 20; /* each of two: beyond every L3 share of a rented machine */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The parent may have died before prctl: then it is no longer the parent. */
static int32_t bind_to_parent(dmx_worker *self) {
    const pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        return dmx_refuse(ERROR(self), DMX_REFUSED, "the load cannot be bound to the life of its parent");
    }
    return DM_OK;
}

static void spin_until(uint64_t end) {
    volatile uint64_t chain = 1;
    while (dmx_now() < end) {
        for (int step = 0; step < 1000; step++) {
            chain = chain * 6364136223846793005u + 1;
        }
    }
}

static void sleep_until(uint64_t end) {
    const struct timespec until = {.tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

static void burst_until(uint64_t seed, uint64_t end) {
    for (uint64_t turn = 0, now = dmx_now(); now < end; turn++, now = dmx_now()) {
        const uint64_t length =
            BURST_SHORTEST_NS + dmx_mix(dmx_mix(0, seed), turn) % (BURST_LONGEST_NS - BURST_SHORTEST_NS + 1);
        const uint64_t until = earlier(now + length, end);
        if (turn % 2 == 0) {
            spin_until(until);
        } else {
            sleep_until(until);
        }
    }
}

static void stream_until(unsigned char *from, unsigned char *to, uint64_t end) {
    enum { PIECE = 1 << 20 };
    for (size_t at = 0; dmx_now() < end; at = (at + PIECE) % STREAM_BYTES) {
        memcpy(to + at, from + at, PIECE);
    }
}

int32_t dmx_load(dmx_worker *self) {
    const dmx_request *request = self->request;
    int32_t status = bind_to_parent(self);
    if (status == DM_OK) {
        status = dmx_pin(self);
    }
    if (status != DM_OK) {
        return status;
    }
    unsigned char *buffer = NULL;
    if (request->load == DMX_LOAD_BANDWIDTH) {
        buffer = malloc(2 * STREAM_BYTES);
        if (buffer == NULL) {
            return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory for a stream of %zu bytes", 2 * STREAM_BYTES);
        }
        memset(buffer, 1, 2 * STREAM_BYTES);
    }
    dmx_phase(self, "load", -1); /* from here on it is felt */
    const uint64_t end = dmx_now() + request->duration_ns;
    switch (request->load) {
    case DMX_LOAD_SPIN:
        spin_until(end);
        break;
    case DMX_LOAD_BURSTS:
        burst_until(request->seed, end);
        break;
    case DMX_LOAD_BANDWIDTH:
        stream_until(buffer, buffer + STREAM_BYTES, end);
        break;
    case DMX_LOAD_NONE:
        break;
    }
    free(buffer);
    return DM_OK;
}
