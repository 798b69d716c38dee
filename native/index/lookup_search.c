/* lookup_search.c: batches of queries, divided by a team, in the editions of the types asked for.
 *
 * An index compares codes, never the rows as a whole: among the rows are some that are not in use, which other threads
 * write while it searches. Those that it decides by are kept by references. */
#include "index/lookup_parts.h"
#include "index/neighbours.h"
#include "parallel/team.h"

#include "store/poison.h"

/* What a search uses of one type. */
typedef struct part {
    dm_edition *edition;
    dm_index_scratch *scratches[DM_LOOKUP_SCRATCHES]; /* [member] */
    int changes;                                      /* while it is searched */
} part;

typedef struct batch {
    dm_lookup *lookup;
    part parts[DM_LOOKUP_SIDES];
    int part_count;
    uint32_t phase;
    const float *queries;
    size_t stride;
    size_t count;
    size_t queries_per_task;
    uint32_t k;
    uint32_t *slots;
    double *similarities;
} batch;

/* --- editions and what is idle ----------------------------------------------------------------------------------- */

/* Under the lock. */
static dm_index_scratch *take_idle(dm_edition *edition) {
    return edition->idle_count > 0 ? edition->idle[--edition->idle_count] : NULL;
}

int32_t dm_edition_take(dm_lookup *lookup, dm_edition *edition, dm_index_scratch **scratch, char *error,
                        size_t error_size) {
    (void)pthread_mutex_lock(&lookup->lock);
    *scratch = take_idle(edition);
    (void)pthread_mutex_unlock(&lookup->lock);
    return *scratch != NULL ? DM_OK
                            : dm_index_scratch_create(edition->index, &lookup->memory, scratch, error, error_size);
}

void dm_edition_give(dm_lookup *lookup, dm_edition *edition, dm_index_scratch *scratch) {
    (void)pthread_mutex_lock(&lookup->lock);
    const int has_place = edition->idle_count < DM_LOOKUP_SCRATCHES;
    if (has_place) {
        edition->idle[edition->idle_count++] = scratch;
    }
    (void)pthread_mutex_unlock(&lookup->lock);
    if (!has_place) {
        dm_index_scratch_destroy(scratch, &lookup->memory);
    }
}

/* Counts itself in, and takes the editions of now and what is idle for them. */
static void enter(batch *work, uint32_t types, uint32_t members) {
    dm_lookup *lookup = work->lookup;
    const int is_single = lookup->store->single_type;
    (void)pthread_mutex_lock(&lookup->lock);
    work->phase = lookup->phase;
    lookup->searching[work->phase]++;
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const dm_lookup_side *side = &lookup->sides[i];
        const int is_wanted = side->table != NULL && (is_single || (types >> i & 1) != 0);
        if (!is_wanted || side->edition->index == NULL) {
            continue;
        }
        part *of = &work->parts[work->part_count++];
        of->edition = side->edition;
        of->changes = dm_index_can_change(side->edition->index);
        for (uint32_t member = 0; member < members; member++) {
            of->scratches[member] = take_idle(of->edition);
        }
    }
    (void)pthread_mutex_unlock(&lookup->lock);
}

/* Leaves what the members worked in to later searches, and counts itself out. */
static void leave(batch *work, uint32_t members) {
    dm_lookup *lookup = work->lookup;
    (void)pthread_mutex_lock(&lookup->lock);
    for (int i = 0; i < work->part_count; i++) {
        part *of = &work->parts[i];
        for (uint32_t member = 0; member < members; member++) {
            if (of->scratches[member] != NULL && of->edition->idle_count < DM_LOOKUP_SCRATCHES) {
                of->edition->idle[of->edition->idle_count++] = of->scratches[member];
            } else { /* more threads than ever a team has: rare enough to be freed under the lock */
                dm_index_scratch_destroy(of->scratches[member], &lookup->memory);
            }
        }
    }
    if (--lookup->searching[work->phase] == 0 && work->phase != lookup->phase) {
        (void)pthread_cond_signal(&lookup->ended);
    }
    (void)pthread_mutex_unlock(&lookup->lock);
}

static int32_t equip(batch *work, uint32_t types, uint32_t members, char *error, size_t error_size) {
    int32_t status = DM_OK;
    enter(work, types, members);
    for (int i = 0; i < work->part_count; i++) {
        part *of = &work->parts[i];
        for (uint32_t member = 0; member < members && status == DM_OK; member++) {
            if (of->scratches[member] == NULL) {
                status = dm_index_scratch_create(of->edition->index, &work->lookup->memory, &of->scratches[member],
                                                 error, error_size);
            }
        }
    }
    if (status != DM_OK) {
        leave(work, members);
    }
    return status;
}

/* --- one query ---------------------------------------------------------------------------------------------------- */

/* What was found, under the slots of the edition. A node whose embedding is being replaced in a graph has two rows
 * there for a while: the nearer one counts. */
static uint32_t name_nodes(const part *of, const dm_neighbour *found, uint32_t count, uint32_t *slots,
                           double *similarities) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = of->edition->slots[found[i].row];
        int is_new = 1;
        for (uint32_t j = 0; of->changes && j < kept; j++) {
            is_new &= slots[j] != slot;
        }
        if (is_new) {
            slots[kept] = slot;
            similarities[kept++] = found[i].similarity;
        }
    }
    return kept;
}

static uint32_t search_part(const part *of, uint32_t member, const float *query, uint32_t k, uint32_t *slots,
                            double *similarities) {
    dm_neighbour found[DM_EXACT_K_MAX];
    uint32_t count = dm_index_search(of->edition->index, of->scratches[member], query, k, found);
    return name_nodes(of, found, count, slots, similarities);
}

/* Puts the best of another part among the `count` best of at most k, behind equal ones. Returns how many there are. */
static uint32_t merge(uint32_t *slots, double *similarities, uint32_t count, uint32_t k, const uint32_t *more_slots,
                      const double *more_similarities, uint32_t more) {
    for (uint32_t i = 0; i < more; i++) {
        uint32_t place = count < k ? count++ : k;
        if (place == k && !(similarities[k - 1] < more_similarities[i])) {
            break; /* nor is any that follows */
        }
        for (place = place == k ? k - 1 : place; place > 0 && similarities[place - 1] < more_similarities[i]; place--) {
            slots[place] = slots[place - 1];
            similarities[place] = similarities[place - 1];
        }
        slots[place] = more_slots[i];
        similarities[place] = more_similarities[i];
    }
    return count;
}

static void search_one(const batch *work, uint32_t member, size_t query) {
    const uint32_t k = work->k;
    uint32_t *slots = work->slots + query * k;
    double *similarities = work->similarities + query * k;
    const float *values = work->queries + query * work->stride;
    uint32_t count = work->part_count > 0 ? search_part(&work->parts[0], member, values, k, slots, similarities) : 0;
    if (work->part_count > 1) {
        uint32_t more_slots[DM_EXACT_K_MAX];
        double more_similarities[DM_EXACT_K_MAX];
        uint32_t more = search_part(&work->parts[1], member, values, k, more_slots, more_similarities);
        count = merge(slots, similarities, count, k, more_slots, more_similarities, more);
    }
    for (; count < k; count++) {
        slots[count] = DM_SLOT_NONE;
        similarities[count] = 0.0;
    }
}

static void search_some(void *context, uint32_t task, uint32_t member) {
    const batch *work = context;
    size_t begin = task * work->queries_per_task;
    size_t end = work->count - begin < work->queries_per_task ? work->count : begin + work->queries_per_task;
    for (size_t query = begin; query < end; query++) {
        search_one(work, member, query);
    }
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

/* The position of the first NaN or infinity, or dim. */
static uint32_t first_not_finite(const float *values, uint32_t dim) {
    const uint32_t infinity = UINT32_C(0x7f800000);
    uint32_t largest = 0; /* without a branch, so that the compiler makes vectors of it */
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t magnitude = dm_bits_from_float(values[i]) & UINT32_C(0x7fffffff);
        largest = magnitude > largest ? magnitude : largest;
    }
    uint32_t place = largest < infinity ? dim : 0;
    while (place < dim && (dm_bits_from_float(values[place]) & UINT32_C(0x7fffffff)) < infinity) {
        place++;
    }
    return place;
}

static int32_t check(const batch *work, uint32_t types, char *error, size_t error_size) {
    const uint32_t dim = work->lookup->store->dim;
    if (work->k < 1 || work->k > DM_LOOKUP_K_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "k %u is not in 1..%d", work->k, DM_LOOKUP_K_MAX);
    }
    if (types == 0 || (types & ~work->lookup->options.types) != 0) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "types %u are not among those that the lookup was made for, %u", types,
                       work->lookup->options.types);
    }
    if (work->count > 0 && work->stride < dim) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "a stride of %zu floats is less than the store's dim of %u", work->stride, dim);
    }
    for (size_t query = 0; query < work->count; query++) {
        uint32_t place = first_not_finite(work->queries + query * work->stride, dim);
        if (place < dim) {
            return dm_fail(DM_ERROR_CORRUPT, error, error_size, "query %zu has NaN or an infinity at position %u",
                           query, place);
        }
    }
    return DM_OK;
}

/* Queries of one task: enough for the counter of tasks to cost nothing beside them, few enough to divide. */
static size_t queries_per_task(uint32_t rows, size_t count) {
    enum { ROWS_PER_TASK = 2000 }; /* 50 us or more at 768 dimensions, of a scan */
    size_t wanted = 1 + ROWS_PER_TASK / ((size_t)rows + 1);
    size_t least = count / UINT32_MAX + 1; /* tasks are numbered with 32 bits */
    return wanted > least ? wanted : least;
}

int32_t dm_lookup_search_types(dm_lookup *lookup, uint32_t types, const float *queries, size_t stride, size_t count,
                               uint32_t k, dm_team *team, uint32_t *slots, double *similarities, char *error,
                               size_t error_size) {
    batch work; /* 4 KiB of places for scratches: not to be cleared for each query */
    work.lookup = lookup;
    work.part_count = 0;
    work.queries = queries;
    work.stride = stride;
    work.count = count;
    work.k = k;
    work.slots = slots;
    work.similarities = similarities;
    int32_t status = check(&work, types, error, error_size);
    if (status != DM_OK || count == 0) {
        return status;
    }
    work.queries_per_task = queries_per_task(dm_lookup_size(lookup), count);
    uint32_t tasks = (uint32_t)((count + work.queries_per_task - 1) / work.queries_per_task);
    uint32_t members = tasks > 1 ? dm_team_size(team) : 1;
    status = equip(&work, types, members, error, error_size);
    if (status == DM_OK) {
        dm_team_run(team, tasks, search_some, &work);
        leave(&work, members);
    }
    return status;
}

int32_t dm_lookup_search(dm_lookup *lookup, const float *queries, size_t stride, size_t count, uint32_t k,
                         dm_team *team, uint32_t *slots, double *similarities, char *error, size_t error_size) {
    return dm_lookup_search_types(lookup, lookup->options.types, queries, stride, count, k, team, slots, similarities,
                                  error, error_size);
}
