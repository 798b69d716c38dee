/* store.c: making a store, and the coming and going of its nodes. */
#include "store/store.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/poison.h"

int32_t dm_fail(int32_t status, char *error, size_t error_size, const char *format, ...) {
    if (error != NULL && error_size > 0) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error, error_size, format, arguments);
        va_end(arguments);
    }
    return status;
}

/* --- creation ---------------------------------------------------------------------------------------------------- */

/* Options end where their .size says; what they lack is 0. */
static int32_t read_options(const dm_store_options *given, dm_store_options *options, char *error, size_t error_size) {
    size_t first = offsetof(dm_store_options, numa);
    if (given->size < first || given->size > sizeof(*options)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "options of %zu bytes, this library knows %zu to %zu: set .size",
                       given->size, first, sizeof(*options));
    }
    *options = (dm_store_options){0};
    memcpy(options, given, given->size);
    return DM_OK;
}

static int32_t check_options(const dm_store_options *options, char *error, size_t error_size) {
    if (options->dim < 1 || options->dim > DM_DIM_MAX) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "dim %u is not in 1..%d", options->dim, DM_DIM_MAX);
    }
    uint64_t nodes = (uint64_t)options->concept_capacity + options->episode_capacity;
    if (options->concept_capacity > DM_CAPACITY_MAX || options->episode_capacity > DM_CAPACITY_MAX || nodes == 0 ||
        (options->single_type && nodes > DM_CAPACITY_MAX)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "capacities of %u concepts and %u episodes: want 1..%d nodes",
                       options->concept_capacity, options->episode_capacity, DM_CAPACITY_MAX);
    }
    if (options->single_type != 0 && options->single_type != 1) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "single_type %d is neither 0 nor 1", options->single_type);
    }
    if (options->placement % DM_CACHE_LINE != 0 || options->placement >= 4096) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "placement %zu is not a multiple of 64 below 4096",
                       options->placement);
    }
    if (options->numa < DM_NUMA_INTERLEAVED || options->numa > DM_NUMA_ADAPTIVE || options->reserved != 0) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "numa %d is none of DM_NUMA_INTERLEAVED, _SEPARATED, _ADAPTIVE, or reserved is not 0", options->numa);
    }
    return DM_OK;
}

/* An array indexed by slots of both types: two stretches of memory with a gap of address space between. */
static void *allocate_by_slot(dm_memory *account, size_t record_size, const dm_store_options *options) {
    size_t concepts_at = DM_CONCEPT_BASE * record_size;
    char *array = dm_memory_reserve(concepts_at + options->concept_capacity * record_size, options->placement);
    if (array != NULL && dm_memory_commit(account, array, 0, options->episode_capacity * record_size) &&
        dm_memory_commit(account, array, concepts_at, options->concept_capacity * record_size)) {
        return array;
    }
    dm_memory_free(account, array);
    return NULL;
}

static int create_parts(dm_store *store, const dm_store_options *options) {
    uint32_t concepts = options->single_type ? 0 : options->concept_capacity;
    uint32_t episodes = options->episode_capacity + (options->single_type ? options->concept_capacity : 0);
    size_t placement = options->placement;
    store->nodes = options->single_type
                       ? dm_memory_allocate(&store->node_memory, episodes * sizeof(dm_node), DM_CACHE_LINE, placement)
                       : allocate_by_slot(&store->node_memory, sizeof(dm_node), options);
    if (store->nodes == NULL ||
        !dm_ids_create(&store->ids, (uint64_t)concepts + episodes, &store->id_memory, placement) ||
        !dm_rows_create(&store->episodes, store->dim, episodes, &store->embedding_memory, &store->id_memory, placement) ||
        !dm_rows_create(&store->concepts, store->dim, concepts, &store->embedding_memory, &store->id_memory, placement)) {
        return 0;
    }
    if (options->single_type) {
        return 1;
    }
    store->links = allocate_by_slot(&store->metadata_memory, sizeof(dm_links), options);
    store->formations =
        dm_memory_allocate(&store->node_memory, concepts * sizeof(uint64_t), DM_CACHE_LINE, placement);
    return store->links != NULL && store->formations != NULL &&
           dm_bindings_create(&store->bindings, concepts, episodes, &store->binding_memory, placement);
}

int32_t dm_store_create(const dm_store_options *given, dm_store **store, char *error, size_t error_size) {
    *store = NULL;
    dm_store_options wanted;
    const dm_store_options *options = &wanted;
    int32_t status = read_options(given, &wanted, error, error_size);
    if (status == DM_OK) {
        status = check_options(options, error, error_size);
    }
    if (status != DM_OK) {
        return status;
    }
    dm_memory account = {0};
    dm_store *made = dm_memory_allocate(&account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made != NULL) {
        atomic_store_explicit(&made->self_memory.bytes, dm_memory_bytes(&account), memory_order_relaxed);
        made->dim = options->dim;
        made->single_type = options->single_type;
        made->array_placement = options->placement;
        dm_associations_create(&made->associations);
        (void)pthread_mutex_init(&made->lock, NULL);
    }
    if (made == NULL || !create_parts(made, options)) {
        dm_store_destroy(made);
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for %u concepts and %u episodes of %u floats",
                       options->concept_capacity, options->episode_capacity, options->dim);
    }
    dm_numa_topology topology = dm_numa_look();
    dm_numa_plan plan = dm_numa_decide(options->numa, options->single_type, &topology);
    dm_store_place(made, &plan);
    *store = made;
    return DM_OK;
}

void dm_store_destroy(dm_store *store) {
    if (store == NULL) {
        return;
    }
    dm_store_free_readers(store);
    if (!store->single_type) {
        dm_bindings_destroy(&store->bindings, &store->binding_memory);
        dm_associations_destroy(&store->associations, &store->association_memory);
        dm_memory_free(&store->metadata_memory, store->links);
        dm_memory_free(&store->node_memory, (void *)store->formations);
    }
    dm_rows_destroy(&store->concepts, &store->embedding_memory, &store->id_memory);
    dm_rows_destroy(&store->episodes, &store->embedding_memory, &store->id_memory);
    dm_ids_destroy(&store->ids, &store->id_memory);
    dm_memory_free(&store->node_memory, store->nodes);
    (void)pthread_mutex_destroy(&store->lock);
    dm_memory account = {0}; /* the store's own bytes were counted in what is freed with them */
    atomic_store_explicit(&account.bytes, dm_memory_bytes(&store->self_memory), memory_order_relaxed);
    dm_memory_free(&account, store);
}

dm_shape dm_store_shape(const dm_store *store) {
    return (dm_shape){store->dim, store->concepts.capacity, store->episodes.capacity, store->single_type};
}

/* --- nodes --------------------------------------------------------------------------------------------------------- */

/* The squared norm, or a negative number when a value is NaN or infinite. Sums in double: no float can overflow it. */
static double squared_norm(const float *values, uint32_t dim) {
    double sum = 0.0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    return isfinite(sum) ? sum : -1.0;
}

static int32_t refuse_embedding(const float *values, uint32_t dim, char *error, size_t error_size) {
    uint32_t i = 0;
    while (i + 1 < dim && isfinite(values[i])) {
        i++;
    }
    return dm_fail(DM_ERROR_CORRUPT, error, error_size, "the embedding has %s at position %u; nothing was stored",
                   isnan(values[i]) ? "NaN" : "an infinity", i);
}

static dm_rows_table *rows_of(dm_store *store, int concept_wanted) {
    return concept_wanted ? &store->concepts : &store->episodes;
}

/* What a new node starts with. The version goes on: an old reader of the slot must see that it changed. */
static void reset_node(dm_store *store, uint32_t slot) {
    dm_node *node = dm_node_at(store, slot);
    int is_concept = dm_slot_is_concept(slot);
    atomic_store_explicit(&node->last_access_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&node->activation, dm_bits_from_float(0.0f), memory_order_relaxed);
    /* An episode's strength, and the decay factor of a concept with fan 0. */
    atomic_store_explicit(&node->weight, dm_bits_from_float(1.0f), memory_order_relaxed);
    if (is_concept) {
        dm_formation_store(&store->formations[dm_slot_index(slot)], (dm_formation){0.0f, 0});
        dm_bindings_open_concept(&store->bindings, dm_slot_index(slot));
    }
}

/* Under the lock. */
static int32_t add_locked(dm_store *store, int is_concept, dm_id id, const float *values, double square, uint32_t *slot,
                          char *error, size_t error_size) {
    if (dm_ids_find(&store->ids, id) != DM_SLOT_NONE) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "id %016llx%016llx is in the store already; remove its node or update the embedding",
                       (unsigned long long)id.high, (unsigned long long)id.low);
    }
    dm_rows_table *table = rows_of(store, is_concept);
    uint32_t index = dm_rows_take_index(table);
    if (index == DM_ROW_NONE) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "the capacity of %u %s is reached", table->capacity,
                       is_concept ? "concepts" : store->single_type ? "nodes" : "episodes");
    }
    uint32_t given = is_concept ? dm_concept_slot(index) : index;
    reset_node(store, given);
    if (!dm_rows_set(table, index, given, values, square)) {
        dm_rows_give_index(table, index);
        return dm_fail(DM_ERROR_MEMORY, error, error_size,
                       "all rows are kept by references to removed or replaced embeddings; release some");
    }
    table->ids[index] = id;
    table->live++;
    dm_ids_insert(&store->ids, id, given);
    *slot = given;
    return DM_OK;
}

static int32_t add_node(dm_store *store, int is_concept, dm_id id, const float *values, uint32_t *slot, char *error,
                        size_t error_size) {
    *slot = DM_SLOT_NONE;
    double square = squared_norm(values, store->dim);
    if (square < 0.0) {
        return refuse_embedding(values, store->dim, error, error_size);
    }
    (void)pthread_mutex_lock(&store->lock);
    int32_t status = add_locked(store, is_concept, id, values, square, slot, error, error_size);
    (void)pthread_mutex_unlock(&store->lock);
    return status;
}

static int32_t refuse_kind(const dm_store *store, char *error, size_t error_size) {
    return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                   store->single_type ? "a single-type store has neither concepts nor episodes; use dm_store_add_node"
                                      : "a dual store has no nodes without a type; add a concept or an episode");
}

int32_t dm_store_add_concept(dm_store *store, dm_id id, const float *centroid, uint32_t *slot, char *error,
                             size_t error_size) {
    return store->single_type ? refuse_kind(store, error, error_size)
                              : add_node(store, 1, id, centroid, slot, error, error_size);
}

int32_t dm_store_add_episode(dm_store *store, dm_id id, const float *embedding, uint32_t *slot, char *error,
                             size_t error_size) {
    return store->single_type ? refuse_kind(store, error, error_size)
                              : add_node(store, 0, id, embedding, slot, error, error_size);
}

int32_t dm_store_add_node(dm_store *store, dm_id id, const float *embedding, uint32_t *slot, char *error,
                          size_t error_size) {
    return store->single_type ? add_node(store, 0, id, embedding, slot, error, error_size)
                              : refuse_kind(store, error, error_size);
}

/* 1 when the slot is one of this store's and a node lives there. */
static int is_known(const dm_store *store, uint32_t slot) {
    return dm_slot_index(slot) < dm_rows_of(store, slot)->capacity &&
           dm_is_live_inline(store, slot);
}

static int32_t refuse_slot(uint32_t slot, char *error, size_t error_size) {
    return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "no node lives in slot %u", slot);
}

int32_t dm_store_update_embedding(dm_store *store, uint32_t slot, const float *embedding, char *error,
                                  size_t error_size) {
    double square = squared_norm(embedding, store->dim);
    if (square < 0.0) {
        return refuse_embedding(embedding, store->dim, error, error_size);
    }
    int32_t status = DM_OK;
    (void)pthread_mutex_lock(&store->lock);
    if (!is_known(store, slot)) {
        status = refuse_slot(slot, error, error_size);
    } else if (!dm_rows_set(rows_of(store, dm_slot_is_concept(slot)), dm_slot_index(slot), slot, embedding, square)) {
        status = dm_fail(DM_ERROR_MEMORY, error, error_size,
                         "all spare rows are kept by references to replaced embeddings; release some");
    }
    (void)pthread_mutex_unlock(&store->lock);
    return status;
}

int32_t dm_store_remove(dm_store *store, uint32_t slot, char *error, size_t error_size) {
    (void)pthread_mutex_lock(&store->lock);
    if (!is_known(store, slot)) {
        (void)pthread_mutex_unlock(&store->lock);
        return refuse_slot(slot, error, error_size);
    }
    dm_rows_table *table = rows_of(store, dm_slot_is_concept(slot));
    uint32_t index = dm_slot_index(slot);
    dm_ids_remove(&store->ids, table->ids[index]);
    dm_rows_clear(table, index); /* from here on nothing is bound to it any more */
    if (!store->single_type) {
        dm_store_unbind_all(store, slot);
        dm_store_dissociate_all(store, slot);
    }
    table->live--;
    dm_rows_give_index(table, index);
    (void)pthread_mutex_unlock(&store->lock);
    return DM_OK;
}

/* --- looking up ----------------------------------------------------------------------------------------------------- */

uint32_t dm_store_find(const dm_store *store, dm_id id) {
    return dm_ids_find(&store->ids, id);
}

void dm_store_find_batch(const dm_store *store, const dm_id *ids, size_t count, uint32_t *slots) {
    /* As many misses as a core keeps in flight; a look-up hits one line nearly always. */
    enum { GROUP = 16 };
    uint64_t hashes[GROUP];
    for (size_t begin = 0; begin < count; begin += GROUP) {
        size_t group = count - begin < GROUP ? count - begin : GROUP;
        for (size_t i = 0; i < group; i++) {
            hashes[i] = dm_id_hash(ids[begin + i]);
            __builtin_prefetch(dm_ids_home(&store->ids, hashes[i]));
        }
        for (size_t i = 0; i < group; i++) {
            slots[begin + i] = dm_ids_find_hashed(&store->ids, ids[begin + i], hashes[i]);
        }
    }
}

int32_t dm_store_id(dm_store *store, uint32_t slot, dm_id *id, char *error, size_t error_size) {
    int32_t status = DM_OK;
    (void)pthread_mutex_lock(&store->lock);
    if (is_known(store, slot)) {
        *id = dm_rows_of(store, slot)->ids[dm_slot_index(slot)];
    } else {
        status = refuse_slot(slot, error, error_size);
    }
    (void)pthread_mutex_unlock(&store->lock);
    return status;
}

int dm_store_is_live(const dm_store *store, uint32_t slot) {
    return is_known(store, slot);
}

dm_population dm_store_population(dm_store *store) {
    (void)pthread_mutex_lock(&store->lock);
    dm_population population = {.concepts = store->concepts.live,
                                .episodes = store->single_type ? 0 : store->episodes.live,
                                .nodes = store->concepts.live + store->episodes.live,
                                .bindings = atomic_load_explicit(&store->bindings.count, memory_order_relaxed),
                                .associations =
                                    atomic_load_explicit(&store->associations.count, memory_order_relaxed)};
    (void)pthread_mutex_unlock(&store->lock);
    return population;
}

/* --- embeddings ------------------------------------------------------------------------------------------------------ */

dm_embedding dm_store_acquire_embedding(dm_store *store, uint32_t slot) {
    const dm_rows_table *table = dm_rows_of(store, slot);
    uint32_t row = dm_rows_acquire(table, dm_slot_index(slot));
    if (row == DM_ROW_NONE) {
        return (dm_embedding){NULL, 0.0f, row, slot};
    }
    return (dm_embedding){table->values + row * table->stride, table->inverse_norms[row], row, slot};
}

void dm_store_release_embedding(dm_store *store, dm_embedding embedding) {
    if (embedding.values != NULL) {
        dm_rows_release(dm_rows_of(store, embedding.slot), embedding.row);
    }
}

static dm_rows view(const dm_rows_table *table) {
    return (dm_rows){.values = table->values,
                     .stride = table->stride,
                     .inverse_norms = table->inverse_norms,
                     .slots = (const uint32_t *)(const void *)table->slots,
                     .count = atomic_load_explicit(&table->row_count, memory_order_acquire),
                     .dim = table->dim};
}

static dm_rows no_rows(const dm_store *store) {
    return (dm_rows){.stride = store->episodes.stride, .dim = store->dim};
}

dm_rows dm_store_concept_rows(const dm_store *store) {
    return view(&store->concepts);
}

dm_rows dm_store_episode_rows(const dm_store *store) {
    return store->single_type ? no_rows(store) : view(&store->episodes);
}

dm_rows dm_store_node_rows(const dm_store *store) {
    return store->single_type ? view(&store->episodes) : no_rows(store);
}

/* --- memory ------------------------------------------------------------------------------------------------------------ */

dm_memory_use dm_store_memory(const dm_store *store) {
    dm_memory_use use = {.embeddings = dm_memory_bytes(&store->embedding_memory),
                         .ids = dm_memory_bytes(&store->id_memory),
                         .nodes = dm_memory_bytes(&store->node_memory),
                         .metadata = dm_memory_bytes(&store->metadata_memory),
                         .bindings = dm_memory_bytes(&store->binding_memory),
                         .associations = dm_memory_bytes(&store->association_memory)};
    use.total = use.embeddings + use.ids + use.nodes + use.metadata + use.bindings + use.associations +
                dm_memory_bytes(&store->self_memory);
    return use;
}
