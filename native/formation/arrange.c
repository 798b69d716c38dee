/* arrange.c: the canonical order of the episodes of a call.
 *
 * By time of last access, then by id: the same for every order of the caller's list, with neighbours in time side by
 * side, so that whole blocks of pairs are too far apart to be looked at. */
#include "formation/former.h"

#include <string.h>

#include "store/store.h"

#include "store/poison.h"

static int is_before(const dm_former_episode *a, const dm_former_episode *b) {
    if (a->last_access_ns != b->last_access_ns) {
        return a->last_access_ns < b->last_access_ns;
    }
    return a->id.high != b->id.high ? a->id.high < b->id.high : a->id.low < b->id.low;
}

static int is_sorted(const dm_former_episode *episodes, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (is_before(&episodes[i], &episodes[i - 1])) {
            return 0;
        }
    }
    return 1;
}

/* Merges two neighbouring runs of `from` into `to`. */
static void merge_runs(const dm_former_episode *from, uint32_t begin, uint32_t middle, uint32_t end, dm_former_episode *to) {
    uint32_t left = begin;
    uint32_t right = middle;
    for (uint32_t i = begin; i < end; i++) {
        const int take_right = right < end && (left == middle || is_before(&from[right], &from[left]));
        to[i] = from[take_right ? right++ : left++];
    }
}

/* Bottom-up merge sort: qsort may allocate. */
static void sort(dm_former *former) {
    const uint32_t count = former->count;
    for (uint32_t run = 1; run < count && !is_sorted(former->episodes, count); run *= 2) {
        for (uint32_t begin = 0; begin < count; begin += 2 * run) {
            const uint32_t middle = count - begin < run ? count : begin + run;
            const uint32_t end = count - begin < 2 * run ? count : begin + 2 * run;
            merge_runs(former->episodes, begin, middle, end, former->spare);
        }
        dm_former_episode *sorted = former->spare;
        former->spare = former->episodes;
        former->episodes = sorted;
    }
}

int32_t dm_former_arrange(dm_former *former, dm_store *store, const uint32_t *slots, uint32_t count, char *error,
                          size_t error_size) {
    const dm_rows_table *table = &store->episodes;
    uint32_t known = 0;
    former->count = count;
    (void)pthread_mutex_lock(&store->lock); /* ids change with the nodes */
    for (; known < count; known++) {
        const uint32_t slot = slots[known];
        if (slot >= table->capacity || !dm_is_live_inline(store, slot)) {
            break;
        }
        former->episodes[known] = (dm_former_episode){dm_store_last_access(store, slot), table->ids[slot], slot, known};
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (known < count) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "no episode lives in slot %u (position %u of the list)",
                       slots[known], known);
    }
    sort(former);
    for (uint32_t i = 0; i < count; i++) {
        former->times[i] = (double)former->episodes[i].last_access_ns;
        if (i > 0 && former->episodes[i].slot == former->episodes[i - 1].slot) { /* one id, one time: neighbours */
            return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "the episode in slot %u comes twice in the list",
                           former->episodes[i].slot);
        }
    }
    return DM_OK;
}
