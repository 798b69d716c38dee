/* lookup.c: the concept lookup of dualmem.h: an exact index that holds on to the rows it indexes, and batches of
 * queries that a team divides.
 *
 * The index scans codes, never the rows as a whole: among the rows are some that are not in use, which other threads
 * write while it searches. Those that it decides by are kept by references. */
#include <pthread.h>
#include <string.h>

#include "index/exact.h"
#include "parallel/team.h"
#include "store/store.h"

#include "store/poison.h"

enum { SCRATCHES = 256 }; /* as many as the largest team has members */

_Static_assert(DM_LOOKUP_K_MAX == (int)DM_EXACT_K_MAX, "the public limit is that of the index");

struct dm_lookup {
    const dm_rows_table *table;
    dm_exact *index;
    uint32_t *slots; /* [row] whose embedding it held, or DM_SLOT_NONE: the table's own map goes on changing */
    uint32_t row_count;
    uint32_t size;
    uint32_t changes; /* of the table, before the first row was looked at */
    dm_memory self_memory;
    dm_memory memory;
    pthread_mutex_t lock; /* for what searches left to work in */
    dm_exact_scratch *idle[SCRATCHES];
    uint32_t idle_count;
};

/* --- making ------------------------------------------------------------------------------------------------------ */

static const dm_exact_variant *best_with_codes(void) {
    size_t best = dm_exact_variant_count - 1;
    while (!dm_exact_variants[best].codes || !dm_isa_has(dm_exact_variants[best].isa)) {
        best--; /* ends at the latest at the scalar row with codes */
    }
    return &dm_exact_variants[best];
}

/* Takes a reference to the row of every live node. */
static void hold_rows(dm_lookup *lookup, int of_concepts) {
    const dm_rows_table *table = lookup->table;
    for (uint32_t row = 0; row < table->row_capacity; row++) {
        lookup->slots[row] = DM_SLOT_NONE;
    }
    for (uint32_t index = 0; index < table->capacity; index++) {
        uint32_t row = dm_rows_acquire(table, index);
        if (row != DM_ROW_NONE) {
            lookup->slots[row] = of_concepts ? dm_concept_slot(index) : index;
            lookup->row_count = row < lookup->row_count ? lookup->row_count : row + 1;
            lookup->size++;
        }
    }
}

static void release_rows(dm_lookup *lookup) {
    for (uint32_t row = 0; row < lookup->row_count; row++) {
        if (lookup->slots[row] != DM_SLOT_NONE) {
            dm_rows_release(lookup->table, row);
        }
    }
}

static int32_t fill(dm_lookup *lookup, int of_concepts, char *error, size_t error_size) {
    const dm_rows_table *table = lookup->table;
    lookup->changes = atomic_load_explicit(&table->changes, memory_order_acquire);
    lookup->slots = dm_memory_allocate(&lookup->memory, table->row_capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (lookup->slots == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a lookup over %u rows", table->row_capacity);
    }
    hold_rows(lookup, of_concepts);
    const dm_rows rows = {.values = table->values,
                          .stride = table->stride,
                          .inverse_norms = table->inverse_norms,
                          .slots = lookup->slots,
                          .count = lookup->row_count,
                          .dim = table->dim};
    return dm_exact_create(best_with_codes(), &rows, DM_SIMILARITY_COSINE, 0, &lookup->memory, &lookup->index, error,
                           error_size);
}

int32_t dm_lookup_create(dm_store *store, dm_lookup **lookup, char *error, size_t error_size) {
    *lookup = NULL;
    dm_memory account = {0};
    dm_lookup *made = dm_memory_allocate(&account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a lookup");
    }
    atomic_store_explicit(&made->self_memory.bytes, dm_memory_bytes(&account), memory_order_relaxed);
    (void)pthread_mutex_init(&made->lock, NULL);
    made->table = store->single_type ? &store->episodes : &store->concepts;
    int32_t status = fill(made, !store->single_type, error, error_size);
    if (status != DM_OK) {
        dm_lookup_destroy(made);
        return status;
    }
    *lookup = made;
    return DM_OK;
}

void dm_lookup_destroy(dm_lookup *lookup) {
    if (lookup == NULL) {
        return;
    }
    while (lookup->idle_count > 0) {
        dm_exact_scratch_destroy(lookup->idle[--lookup->idle_count], &lookup->memory);
    }
    dm_exact_destroy(lookup->index, &lookup->memory);
    release_rows(lookup);
    dm_memory_free(&lookup->memory, lookup->slots);
    (void)pthread_mutex_destroy(&lookup->lock);
    dm_memory account = {0}; /* an account in the struct cannot outlive it */
    atomic_store_explicit(&account.bytes, dm_memory_bytes(&lookup->self_memory), memory_order_relaxed);
    dm_memory_free(&account, lookup);
}

uint32_t dm_lookup_size(const dm_lookup *lookup) {
    return lookup->size;
}

int dm_lookup_is_current(const dm_lookup *lookup) {
    return lookup->changes == atomic_load_explicit(&lookup->table->changes, memory_order_acquire);
}

uint64_t dm_lookup_memory(const dm_lookup *lookup) {
    return dm_memory_bytes(&lookup->self_memory) + dm_memory_bytes(&lookup->memory);
}

/* --- searching --------------------------------------------------------------------------------------------------- */

typedef struct batch {
    const dm_lookup *lookup;
    dm_exact_scratch *scratches[SCRATCHES]; /* [member] */
    const float *queries;
    size_t stride;
    size_t count;
    size_t queries_per_task;
    uint32_t k;
    uint32_t *slots;
    double *cosines;
} batch;

/* Leaves what the members worked in to later searches. */
static void give_back(dm_lookup *lookup, batch *work, uint32_t members) {
    (void)pthread_mutex_lock(&lookup->lock);
    while (members > 0 && lookup->idle_count < SCRATCHES) {
        lookup->idle[lookup->idle_count++] = work->scratches[--members];
    }
    (void)pthread_mutex_unlock(&lookup->lock);
    while (members > 0) {
        dm_exact_scratch_destroy(work->scratches[--members], &lookup->memory);
    }
}

static int32_t equip(dm_lookup *lookup, batch *work, uint32_t members, char *error, size_t error_size) {
    uint32_t taken = 0;
    (void)pthread_mutex_lock(&lookup->lock);
    while (taken < members && lookup->idle_count > 0) {
        work->scratches[taken++] = lookup->idle[--lookup->idle_count];
    }
    (void)pthread_mutex_unlock(&lookup->lock);
    int32_t status = DM_OK;
    while (taken < members && status == DM_OK) {
        status = dm_exact_scratch_create(lookup->index, &lookup->memory, &work->scratches[taken], error, error_size);
        taken += status == DM_OK;
    }
    if (status != DM_OK) {
        give_back(lookup, work, taken);
    }
    return status;
}

static void search_one(const batch *work, dm_exact_scratch *scratch, size_t query) {
    const dm_lookup *lookup = work->lookup;
    dm_neighbour found[DM_EXACT_K_MAX];
    uint32_t *slots = work->slots + query * work->k;
    double *cosines = work->cosines + query * work->k;
    const float *values = work->queries + query * work->stride;
    uint32_t count = lookup->size == 0 ? 0 : dm_exact_search(lookup->index, scratch, values, work->k, found);
    for (uint32_t i = 0; i < work->k; i++) {
        slots[i] = i < count ? lookup->slots[found[i].row] : DM_SLOT_NONE;
        cosines[i] = i < count ? found[i].similarity : 0.0;
    }
}

static void search_some(void *context, uint32_t task, uint32_t member) {
    const batch *work = context;
    size_t begin = task * work->queries_per_task;
    size_t end = work->count - begin < work->queries_per_task ? work->count : begin + work->queries_per_task;
    for (size_t query = begin; query < end; query++) {
        search_one(work, work->scratches[member], query);
    }
}

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

static int32_t check(const batch *work, char *error, size_t error_size) {
    const uint32_t dim = work->lookup->table->dim;
    if (work->k < 1 || work->k > DM_LOOKUP_K_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "k %u is not in 1..%d", work->k, DM_LOOKUP_K_MAX);
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
    enum { ROWS_PER_TASK = 2000 }; /* 50 us or more at 768 dimensions */
    size_t wanted = 1 + ROWS_PER_TASK / ((size_t)rows + 1);
    size_t least = count / UINT32_MAX + 1; /* tasks are numbered with 32 bits */
    return wanted > least ? wanted : least;
}

int32_t dm_lookup_search(dm_lookup *lookup, const float *queries, size_t stride, size_t count, uint32_t k,
                         dm_team *team, uint32_t *slots, double *cosines, char *error, size_t error_size) {
    batch work = {.lookup = lookup,
                  .queries = queries,
                  .stride = stride,
                  .count = count,
                  .k = k,
                  .slots = slots,
                  .cosines = cosines};
    int32_t status = check(&work, error, error_size);
    if (status != DM_OK || count == 0) {
        return status;
    }
    work.queries_per_task = queries_per_task(lookup->row_count, count);
    uint32_t tasks = (uint32_t)((count + work.queries_per_task - 1) / work.queries_per_task);
    uint32_t members = tasks > 1 ? dm_team_size(team) : 1;
    status = equip(lookup, &work, members, error, error_size);
    if (status == DM_OK) {
        dm_team_run(team, tasks, search_some, &work);
        give_back(lookup, &work, members);
    }
    return status;
}
