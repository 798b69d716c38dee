/* lookup.c: the lookup of dualmem.h: an index per type that holds on to the rows it indexes, what it was made for, and
 * what it says of itself. See lookup_parts.h. */
#include "index/lookup_parts.h"

#include "index/exact.h"

#include "store/poison.h"

_Static_assert(DM_LOOKUP_K_MAX == (int)DM_EXACT_K_MAX, "the public limit is that of the index");
_Static_assert(DM_LOOKUP_AUTO == (int)DM_METHOD_AUTO && DM_LOOKUP_EXACT == (int)DM_METHOD_EXACT &&
                   DM_LOOKUP_LISTS == (int)DM_METHOD_LISTS && DM_LOOKUP_GRAPH == (int)DM_METHOD_GRAPH &&
                   DM_LOOKUP_METHODS == (int)DM_METHOD_COUNT,
               "the public numbers are those of the index");
_Static_assert(sizeof(dm_lookup_options) == 40,
               "similarity took a field that had to be 0: callers of before mean cosines");
_Static_assert(sizeof(((dm_lookup_choice *)NULL)->costs) == sizeof(((dm_plan *)NULL)->costs) &&
                   sizeof(((dm_lookup_choice *)NULL)->reason) == sizeof(((dm_plan *)NULL)->reason),
               "one is copied to the other");

/* --- options ----------------------------------------------------------------------------------------------------- */

dm_lookup_options dm_lookup_defaults(void) {
    return (dm_lookup_options){.size = sizeof(dm_lookup_options),
                               .method = DM_LOOKUP_AUTO,
                               .types = DM_LOOKUP_CONCEPTS,
                               .recall = 0.95,
                               .k = 10,
                               .seed = 1};
}

static int32_t check_options(const dm_lookup_options *options, char *error, size_t error_size) {
    if (options->size != sizeof(*options)) { /* later versions of the struct end further on */
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "options of %zu bytes, this library knows %zu: set .size",
                       options->size, sizeof(*options));
    }
    if (options->method < DM_LOOKUP_AUTO || options->method > DM_LOOKUP_GRAPH) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "method %d is none of DM_LOOKUP_AUTO, _EXACT, _LISTS, _GRAPH", options->method);
    }
    if (options->similarity != DM_SIMILARITY_COSINE && options->similarity != DM_SIMILARITY_INNER_PRODUCT) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "similarity %d is none of DM_SIMILARITY_COSINE, _INNER_PRODUCT", options->similarity);
    }
    if (options->similarity != DM_SIMILARITY_COSINE && options->method == DM_LOOKUP_LISTS) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "lists are for cosines; use DM_LOOKUP_AUTO, _EXACT or _GRAPH for inner products");
    }
    if (options->types == 0 || (options->types & ~(uint32_t)DM_LOOKUP_BOTH) != 0) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "types %u is none of DM_LOOKUP_CONCEPTS, _EPISODES and both", options->types);
    }
    if (!(options->recall > 0.0 && options->recall <= 1.0)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a recall of %g is not in (0, 1]", options->recall);
    }
    if (options->k < 1 || options->k > DM_LOOKUP_K_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "k %u is not in 1..%d", options->k, DM_LOOKUP_K_MAX);
    }
    return DM_OK;
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static void name_sides(dm_lookup *lookup) {
    dm_store *store = lookup->store;
    if (store->single_type) {
        lookup->options.types = DM_LOOKUP_BOTH; /* each stands for the nodes */
        lookup->sides[0] = (dm_lookup_side){.table = &store->episodes};
        return;
    }
    if (lookup->options.types & DM_LOOKUP_CONCEPTS) {
        lookup->sides[0] = (dm_lookup_side){.table = &store->concepts, .of_concepts = 1};
    }
    if (lookup->options.types & DM_LOOKUP_EPISODES) {
        lookup->sides[1] = (dm_lookup_side){.table = &store->episodes};
    }
}

int32_t dm_lookup_begin(dm_store *store, const dm_lookup_options *given, dm_lookup **lookup, char *error,
                        size_t error_size) {
    *lookup = NULL;
    int32_t status = check_options(given, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_memory account = {0};
    dm_lookup *made = dm_memory_allocate(&account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a lookup");
    }
    atomic_store_explicit(&made->self_memory.bytes, dm_memory_bytes(&account), memory_order_relaxed);
    (void)pthread_mutex_init(&made->change, NULL);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->ended, NULL);
    made->store = store;
    made->options = *given;
    made->isa = dm_exact_best()->isa;
    name_sides(made);
    *lookup = made;
    return DM_OK;
}

int32_t dm_lookup_create_with(dm_store *store, const dm_lookup_options *options, dm_team *team, dm_lookup **lookup,
                              char *error, size_t error_size) {
    dm_lookup *made = NULL;
    *lookup = NULL;
    int32_t status = dm_lookup_begin(store, options, &made, error, error_size);
    if (status == DM_OK) {
        status = dm_lookup_refresh(made, team, error, error_size); /* from nothing */
    }
    if (status != DM_OK) {
        dm_lookup_destroy(made);
        return status;
    }
    *lookup = made;
    return DM_OK;
}

int32_t dm_lookup_create(dm_store *store, dm_lookup **lookup, char *error, size_t error_size) {
    dm_lookup_options options = dm_lookup_defaults();
    options.method = DM_LOOKUP_EXACT;
    options.recall = 1.0;
    return dm_lookup_create_with(store, &options, NULL, lookup, error, error_size);
}

void dm_lookup_destroy(dm_lookup *lookup) {
    if (lookup == NULL) {
        return;
    }
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        dm_edition_destroy(lookup, &lookup->sides[i], lookup->sides[i].edition);
    }
    (void)pthread_mutex_destroy(&lookup->change);
    (void)pthread_mutex_destroy(&lookup->lock);
    (void)pthread_cond_destroy(&lookup->ended);
    dm_memory account = {0}; /* an account in the struct cannot outlive it */
    atomic_store_explicit(&account.bytes, dm_memory_bytes(&lookup->self_memory), memory_order_relaxed);
    dm_memory_free(&account, lookup);
}

/* --- what it says of itself -------------------------------------------------------------------------------------- */

uint32_t dm_lookup_size(const dm_lookup *lookup) {
    uint32_t size = 0;
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        size += atomic_load_explicit(&lookup->sides[i].size, memory_order_relaxed);
    }
    return size;
}

int dm_lookup_is_current(const dm_lookup *lookup) {
    int is_current = 1;
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const dm_lookup_side *side = &lookup->sides[i];
        is_current &= side->table == NULL || atomic_load_explicit(&side->changes, memory_order_acquire) ==
                                                 atomic_load_explicit(&side->table->changes, memory_order_acquire);
    }
    return is_current;
}

int32_t dm_lookup_similarity(const dm_lookup *lookup) {
    return lookup->options.similarity;
}

uint64_t dm_lookup_memory(const dm_lookup *lookup) {
    return dm_memory_bytes(&lookup->self_memory) + dm_memory_bytes(&lookup->memory);
}

dm_lookup_choice dm_lookup_plan(dm_lookup *lookup, uint32_t types) {
    const int is_second = !lookup->store->single_type && types == DM_LOOKUP_EPISODES;
    const dm_lookup_side *side = &lookup->sides[is_second];
    const int is_one = lookup->store->single_type || types == DM_LOOKUP_CONCEPTS || types == DM_LOOKUP_EPISODES;
    if (!is_one || side->table == NULL) {
        return (dm_lookup_choice){.reason = "the lookup was not made for this type, or it is not one type"};
    }
    (void)pthread_mutex_lock(&lookup->lock); /* a refresh may put another edition there */
    dm_lookup_choice choice = side->edition->choice;
    (void)pthread_mutex_unlock(&lookup->lock);
    return choice;
}
