/* latency.c: one clock pair per operation.
 *
 * The timed path only appends to an array that was touched before: 16 bytes per operation, written in order, so it
 * displaces next to nothing of the kernel's data. Histograms and minima are made from the array between the blocks,
 * untimed; counting straight into a histogram would cost the kernel up to three cache lines per operation. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536 }; /* operations between two foldings: 1 MiB of entries */

typedef struct entry {
    uint64_t item;
    uint64_t nanoseconds;
} entry;

/* An open-addressing table from item to its fastest pass. NONE marks a free place; no latency is that long. */
#define NONE UINT64_MAX

struct dmx_latency {
    uint64_t operations; /* per pass */
    uint64_t done;       /* in this pass */
    entry *entries;
    size_t capacity, recorded;
    entry *fastest;
    size_t places, used; /* places: a power of two */
    dmx_histogram every;
};

typedef struct recorder {
    dm_recorder base;
    dmx_latency *latency;
} recorder;

static void record(dm_recorder *self, uint64_t item, uint64_t nanoseconds) {
    dmx_latency *latency = ((recorder *)(void *)self)->latency;
    if (latency->recorded < latency->capacity) {
        latency->entries[latency->recorded] = (entry){item, nanoseconds};
    }
    latency->recorded++; /* beyond the capacity: a mistake of the kernel, found after the block */
}

static entry *place_of(entry *places, size_t count, uint64_t item) {
    size_t at = (size_t)dmx_mix(0, item) & (count - 1); /* mixed: items may share all their low bits */
    while (places[at].nanoseconds != NONE && places[at].item != item) {
        at = (at + 1) & (count - 1);
    }
    return &places[at];
}

static int32_t grow(dmx_latency *latency, size_t places) {
    entry *larger = malloc(places * sizeof *larger);
    if (larger == NULL) {
        return DM_ERROR_MEMORY;
    }
    for (size_t i = 0; i < places; i++) {
        larger[i] = (entry){0, NONE};
    }
    for (size_t i = 0; i < latency->places; i++) {
        if (latency->fastest[i].nanoseconds != NONE) {
            *place_of(larger, places, latency->fastest[i].item) = latency->fastest[i];
        }
    }
    free(latency->fastest);
    latency->fastest = larger;
    latency->places = places;
    return DM_OK;
}

static int32_t fold(dmx_latency *latency, char *error, size_t error_size) {
    for (size_t i = 0; i < latency->recorded; i++) {
        entry new = latency->entries[i];
        if (new.nanoseconds == NONE) { /* a kernel's clock ran backwards by 1 ns */
            new.nanoseconds--;
        }
        dmx_histogram_add(&latency->every, new.nanoseconds);
        if (2 * (latency->used + 1) > latency->places && grow(latency, latency->places * 2) != DM_OK) {
            return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory for the latencies of %zu items",
                              latency->used);
        }
        entry *place = place_of(latency->fastest, latency->places, new.item);
        if (place->nanoseconds == NONE) {
            latency->used++;
        }
        if (new.nanoseconds < place->nanoseconds) {
            *place = new;
        }
    }
    return DM_OK;
}

int32_t dmx_latency_open(uint64_t operations, dmx_latency **latency, char *error, size_t error_size) {
    *latency = NULL;
    dmx_latency *opened = calloc(1, sizeof *opened);
    if (opened != NULL) {
        opened->operations = operations;
        opened->capacity = operations < BLOCK ? (size_t)operations : BLOCK;
        opened->entries = malloc(opened->capacity * sizeof *opened->entries);
    }
    if (opened == NULL || opened->entries == NULL || grow(opened, 1024) != DM_OK) {
        dmx_latency_close(opened);
        return dmx_refuse(error, error_size, DM_ERROR_MEMORY, "out of memory");
    }
    memset(opened->entries, 0xff,
           opened->capacity * sizeof *opened->entries); /* touched now, not while the clock runs */
    *latency = opened;
    return DM_OK;
}

void dmx_latency_close(dmx_latency *latency) {
    if (latency == NULL) {
        return;
    }
    free(latency->entries);
    free(latency->fastest);
    free(latency);
}

static void run_block(dmx_latency *latency, dmx_arm *arm, uint64_t operations) {
    recorder own = {{sizeof(dm_recorder), dmx_now, record}, latency};
    latency->recorded = 0;
    if (arm->kernel->run_each != NULL) {
        (void)arm->kernel->run_each(arm->state, operations, &own.base);
        return;
    }
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t begin = dmx_now();
        (void)arm->kernel->run(arm->state, 1);
        uint64_t end = dmx_now();
        record(&own.base, latency->done + i, end - begin); /* the operation's place in its pass */
    }
}

int32_t dmx_latency_pass(dmx_latency *latency, dmx_arm *arm, char *error, size_t error_size) {
    for (latency->done = 0; latency->done < latency->operations;) {
        uint64_t left = latency->operations - latency->done;
        uint64_t block = left < latency->capacity ? left : latency->capacity;
        run_block(latency, arm, block);
        if (latency->recorded != block) {
            return dmx_refuse(error, error_size, DMX_REFUSED,
                              "run_each of %s/%s recorded %zu latencies for %llu operations; it must call "
                              "record once for each",
                              arm->kernel->name, arm->kernel->variant, latency->recorded, (unsigned long long)block);
        }
        int32_t status = fold(latency, error, error_size);
        if (status != DM_OK) {
            return status;
        }
        latency->done += block;
    }
    return DM_OK;
}

void dmx_latency_read(const dmx_latency *latency, dmx_histogram *every, dmx_histogram *fastest) {
    *every = latency->every;
    memset(fastest, 0, sizeof *fastest);
    for (size_t i = 0; i < latency->places; i++) {
        if (latency->fastest[i].nanoseconds != NONE) {
            dmx_histogram_add(fastest, latency->fastest[i].nanoseconds);
        }
    }
}
