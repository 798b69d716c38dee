/* snapshot_fill.c: from the sections of a snapshot to a store.
 *
 * The checksums hold by now, but a checksum says what was written, not that a store was: so every index is checked before it
 * is used, and every number against what a store can hold. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/binding_access.h"
#include "store/snapshot_load.h"

#include "store/poison.h"

/* How many records ahead the memory that one needs is asked for. */
enum { AHEAD = 16 };

/* --- nodes --------------------------------------------------------------------------------------------------------- */

static int32_t check_node(const dm_loader *state, const dm_snapshot_node *node, uint32_t capacity, uint32_t least,
                          int is_concept) {
    const char *name = dm_snapshot_part_name(is_concept ? DM_SNAPSHOT_CONCEPTS : DM_SNAPSHOT_EPISODES);
    if (node->index >= capacity || node->index < least) {
        return dm_refuse(state, "among %s, slot %u is out of range or out of order; no dm_store_save wrote this file", name,
                         node->index);
    }
    if (node->activation > DM_SNAPSHOT_ONE || node->strength > (is_concept ? 0 : DM_SNAPSHOT_ONE) || node->coherence > (is_concept ? DM_SNAPSHOT_ONE : 0) ||
        (!is_concept && node->member_count != 0) || node->version > (state->header.single_type ? 0 : INT32_MAX)) {
        return dm_refuse(state, "among %s, slot %u has values that no store holds; no dm_store_save wrote this file", name,
                         node->index);
    }
    return DM_OK;
}

static void fill_record(dm_store *store, const dm_snapshot_node *from, uint32_t slot) {
    dm_node *node = dm_node_at(store, slot);
    int is_concept = dm_slot_is_concept(slot);
    atomic_store_explicit(&node->last_access_ns, from->last_access_ns, memory_order_relaxed);
    atomic_store_explicit(&node->activation, from->activation, memory_order_relaxed);
    atomic_store_explicit(&node->weight, is_concept ? DM_SNAPSHOT_ONE : from->strength, memory_order_relaxed);
    if (!store->single_type) {
        atomic_store_explicit(&dm_links_at(store, slot)->version, from->version * 2, memory_order_relaxed);
    }
    if (is_concept) {
        atomic_store_explicit(&store->formations[from->index], (uint64_t)from->coherence << 32 | from->member_count,
                              memory_order_relaxed);
    }
}

/* The squared norms of four rows, each summed like a single one in dm_store_add_...: four sums side by side, because each addition waits
 * for the one before. */
static void squared_norms(const float *rows, size_t stride, uint32_t dim, double squares[4]) {
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    for (uint32_t i = 0; i < dim; i++) {
        for (size_t row = 0; row < 4; row++) {
            double value = (double)rows[row * stride + i];
            sum[row] += value * value;
        }
    }
    memcpy(squares, sum, sizeof(sum));
}

static int has_zero_padding(const float *row, uint32_t dim, size_t stride) {
    uint32_t seen = 0;
    for (size_t i = dim; i < stride; i++) {
        seen |= dm_bits_from_float(row[i]);
    }
    return seen == 0;
}

/* The embeddings: mapped as far as that was asked for and can be, copied beyond. */
static int32_t fill_values(dm_loader *state, dm_snapshot_part part, dm_rows_table *table) {
    const dm_snapshot_section *section = &state->header.sections[part];
    dm_placement *placement = &state->store->placement;
    size_t mapped = 0;
    if (state->options.map_embeddings && section->size >= DM_HUGE_PAGE &&
        !dm_memory_overlay(table->values, state->descriptor, section->offset, section->size, &mapped)) {
        return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size, "%s: the system refused to map %s", state->path,
                       dm_snapshot_part_name(part));
    }
    if (mapped > 0 && placement->got != DM_NUMA_SYSTEM) {
        placement->got = DM_NUMA_SYSTEM;
        (void)snprintf(placement->reason, sizeof(placement->reason), "embeddings are mapped from a file, whose pages lie where they were "
                       "read; the rest as asked");
    }
    if (section->size > mapped) {
        memcpy((char *)table->values + mapped, state->bytes + section->offset + mapped, section->size - mapped);
    }
    return DM_OK;
}

/* The nodes of one type on their way into its table. */
typedef struct arrival {
    dm_rows_table *table;
    const dm_snapshot_node *nodes;
    uint32_t count;
    int is_concept;
} arrival;

/* The squared norms of the next rows; `fours` is how many there are, at most four. */
static void norms_of_four(const arrival *of, uint32_t row, uint32_t fours, double squares[4]) {
    const dm_rows_table *table = of->table;
    const float *values = table->values + row * table->stride;
    if (fours == 4) {
        squared_norms(values, table->stride, table->dim, squares);
        return;
    }
    for (uint32_t i = 0; i < fours; i++) { /* the same row four times */
        double same[4];
        squared_norms(values + i * table->stride, 0, table->dim, same);
        squares[i] = same[0];
    }
}

static int32_t fill_node(const dm_loader *state, const arrival *of, uint32_t row, double square) {
    dm_store *store = state->store;
    dm_rows_table *table = of->table;
    const dm_snapshot_node *node = &of->nodes[row];
    uint32_t least = row == 0 ? 0 : of->nodes[row - 1].index + 1; /* wraps only behind an index that was refused */
    int32_t status = check_node(state, node, table->capacity, least, of->is_concept);
    if (status != DM_OK) {
        return status;
    }
    dm_id id = {node->id_low, node->id_high};
    uint32_t slot = of->is_concept ? dm_concept_slot(node->index) : node->index;
    if (!isfinite(square) || !has_zero_padding(table->values + row * table->stride, table->dim, table->stride)) {
        return dm_refuse(state, "the embedding of slot %u has NaN, an infinity or padding that is not zero; no dm_store_save wrote this "
                         "file", slot);
    }
    if (dm_ids_find(&store->ids, id) != DM_SLOT_NONE) {
        return dm_refuse(state, "id %016llx%016llx is there twice; no dm_store_save wrote this file", (unsigned long long)id.high,
                         (unsigned long long)id.low);
    }
    dm_rows_restore(table, row, node->index, slot, id, square);
    dm_ids_insert(&store->ids, id, slot);
    fill_record(store, node, slot);
    return DM_OK;
}

static int32_t fill_nodes(dm_loader *state, dm_snapshot_part part, dm_snapshot_part rows_part, dm_rows_table *table) {
    arrival of = {.table = table,
                  .nodes = dm_snapshot_records(state, part),
                  .count = (uint32_t)state->header.sections[part].count,
                  .is_concept = part == DM_SNAPSHOT_CONCEPTS};
    int32_t status = fill_values(state, rows_part, table);
    for (uint32_t row = 0; row < of.count && status == DM_OK; row += 4) {
        for (uint32_t ahead = row + AHEAD; ahead < row + AHEAD + 4 && ahead < of.count; ahead++) {
            dm_id id = {of.nodes[ahead].id_low, of.nodes[ahead].id_high};
            __builtin_prefetch(dm_ids_home(&state->store->ids, dm_id_hash(id)), 1);
        }
        uint32_t fours = of.count - row < 4 ? of.count - row : 4;
        double squares[4];
        norms_of_four(&of, row, fours, squares);
        for (uint32_t i = 0; i < fours && status == DM_OK; i++) {
            status = fill_node(state, &of, row + i, squares[i]);
        }
    }
    if (status == DM_OK) {
        dm_rows_restored(table, of.count, of.count == 0 ? 0 : of.nodes[of.count - 1].index + 1);
    }
    return status;
}

/* --- bindings ------------------------------------------------------------------------------------------------------ */

uint64_t dm_snapshot_blocks(const dm_loader *state) {
    const dm_snapshot_binding *records = dm_snapshot_records(state, DM_SNAPSHOT_BINDINGS);
    uint64_t count = state->header.sections[DM_SNAPSHOT_BINDINGS].count;
    uint32_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        last = records[i].handle > last ? records[i].handle : last;
    }
    return (uint64_t)last / DM_BLOCK_ENTRIES + (count > 0);
}

/* Makes every place of the blocks begin .. end - 1 one without a binding. */
static void empty_blocks(dm_bindings *bindings, uint32_t begin, uint32_t end, uint32_t first_owner) {
    for (uint32_t block = begin; block < end; block++) {
        for (uint32_t i = 0; i < DM_BLOCK_ENTRIES; i++) {
            size_t place = (size_t)block * DM_BLOCK_ENTRIES + i;
            atomic_store_explicit(&bindings->strengths[place], DM_STRENGTH_HOLE, memory_order_relaxed);
            atomic_store_explicit(&bindings->partners[place], DM_PARTNER_LAST, memory_order_relaxed);
        }
        uint32_t owner = first_owner == DM_BLOCK_NONE ? DM_BLOCK_NONE : first_owner + (block - begin);
        atomic_store_explicit(&bindings->owner[block], owner, memory_order_relaxed);
    }
}

static int32_t refuse_binding(const dm_loader *state, const dm_snapshot_binding *record, const char *why) {
    return dm_refuse(state, "among the bindings, handle %u of concept %u and episode %u %s; no dm_store_save wrote this file",
                     record->handle, record->concept_index, record->episode_index, why);
}

/* Is the record one of a store, and does it follow `before`? Records are in the order of (concept, handle). */
static int32_t check_binding(const dm_loader *state, const dm_snapshot_binding *record, const dm_snapshot_binding *before) {
    const dm_store *store = state->store;
    const dm_block_pool *pool = &store->bindings.places_pool;
    uint32_t block = record->handle / DM_BLOCK_ENTRIES;
    if (record->concept_index >= store->concepts.capacity || record->episode_index >= store->episodes.capacity ||
        dm_rows_find(&store->concepts, record->concept_index) == DM_ROW_NONE ||
        dm_rows_find(&store->episodes, record->episode_index) == DM_ROW_NONE) {
        return refuse_binding(state, record, "has an end that is not there");
    }
    if (before != NULL && (before->concept_index > record->concept_index ||
                           (before->concept_index == record->concept_index && before->handle >= record->handle))) {
        return refuse_binding(state, record, "is out of order");
    }
    uint32_t owner = atomic_load_explicit(&store->bindings.owner[block], memory_order_relaxed);
    int is_inline = block < pool->inline_count;
    if (is_inline ? block != record->concept_index : owner != DM_BLOCK_NONE && owner != record->concept_index) {
        return refuse_binding(state, record, "lies in another concept's block");
    }
    if (record->strength > DM_SNAPSHOT_ONE) {
        return refuse_binding(state, record, "has a strength outside of [0, 1]");
    }
    return DM_OK;
}

/* Concepts come one after the other, so a pair that is there twice meets itself as the last entry of the episode's list. */
static int is_repeated(const dm_store *store, const dm_snapshot_binding *record, uint32_t fan) {
    if (fan == 0) {
        return 0;
    }
    const dm_bindings *bindings = &store->bindings;
    uint32_t block = fan <= DM_BLOCK_ENTRIES
                         ? record->episode_index
                         : atomic_load_explicit(&bindings->handles_next[record->episode_index], memory_order_relaxed);
    size_t entry = (size_t)block * DM_BLOCK_ENTRIES + (fan - 1) % DM_BLOCK_ENTRIES;
    uint32_t last = atomic_load_explicit(&bindings->handles[entry], memory_order_relaxed);
    return atomic_load_explicit(&bindings->owner[last / DM_BLOCK_ENTRIES], memory_order_relaxed) == record->concept_index;
}

static int32_t fill_binding(const dm_loader *state, const dm_snapshot_binding *record) {
    dm_store *store = state->store;
    dm_bindings *bindings = &store->bindings;
    dm_links *of_episode = dm_links_at(store, record->episode_index);
    dm_links *of_concept = dm_links_at(store, dm_concept_slot(record->concept_index));
    uint32_t fan = atomic_load_explicit(&of_episode->fan, memory_order_relaxed);
    if (is_repeated(store, record, fan)) {
        return refuse_binding(state, record, "is there twice");
    }
    atomic_store_explicit(&bindings->owner[record->handle / DM_BLOCK_ENTRIES], record->concept_index, memory_order_relaxed);
    atomic_store_explicit(&bindings->strengths[record->handle], record->strength, memory_order_relaxed);
    atomic_store_explicit(&bindings->partners[record->handle], record->episode_index, memory_order_relaxed);
    if (!dm_bindings_append_handle(store, record->episode_index, fan, record->handle)) {
        return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size, "%s: no memory for the bindings", state->path);
    }
    atomic_store_explicit(&of_episode->fan, fan + 1, memory_order_relaxed);
    uint32_t concept_fan = atomic_load_explicit(&of_concept->fan, memory_order_relaxed);
    atomic_store_explicit(&of_concept->fan, concept_fan + 1, memory_order_relaxed);
    return DM_OK;
}

/* Puts the free places of a block in front of its concept's list, so that the lowest comes first. */
static void chain_places(dm_bindings *bindings, uint32_t block, uint32_t concept_index) {
    for (uint32_t i = DM_BLOCK_ENTRIES; i-- > 0;) {
        uint32_t place = block * DM_BLOCK_ENTRIES + i;
        if (atomic_load_explicit(&bindings->strengths[place], memory_order_relaxed) == DM_STRENGTH_HOLE) {
            atomic_store_explicit(&bindings->partners[place], bindings->free_place[concept_index], memory_order_relaxed);
            bindings->free_place[concept_index] = place | DM_PARTNER_HOLE;
        }
    }
}

/* The chains of blocks and of free places, from the last to the first, so that all of them ascend. */
static void chain_blocks(dm_store *store, uint32_t concepts, uint32_t used) {
    dm_bindings *bindings = &store->bindings;
    dm_block_pool *pool = &bindings->places_pool;
    for (uint32_t block = used; block-- > pool->inline_count;) {
        uint32_t owner = atomic_load_explicit(&bindings->owner[block], memory_order_relaxed);
        if (owner == DM_BLOCK_NONE) {
            atomic_store_explicit(&bindings->owner[block], 0, memory_order_relaxed);
            atomic_store_explicit(&bindings->next[block], pool->free_block, memory_order_relaxed);
            pool->free_block = block;
        } else {
            uint32_t second = atomic_load_explicit(&bindings->next[owner], memory_order_relaxed);
            atomic_store_explicit(&bindings->next[block], second, memory_order_relaxed);
            atomic_store_explicit(&bindings->next[owner], block, memory_order_relaxed);
            chain_places(bindings, block, owner);
        }
    }
    for (uint32_t index = 0; index < concepts; index++) {
        uint32_t slot = dm_concept_slot(index);
        chain_places(bindings, index, index);
        atomic_store_explicit(&dm_node_at(store, slot)->weight,
                              dm_bits_from_float(dm_decay_factor_of(dm_fan_inline(store, slot))), memory_order_relaxed);
    }
}

static void prefetch_episode(const dm_store *store, const dm_snapshot_binding *record) {
    if (record->episode_index < store->episodes.capacity) {
        __builtin_prefetch((const void *)dm_links_at(store, record->episode_index), 1);
        __builtin_prefetch((const void *)&store->bindings.handles[(size_t)record->episode_index * DM_BLOCK_ENTRIES], 1);
    }
}

static int32_t fill_bindings(const dm_loader *state) {
    dm_store *store = state->store;
    dm_bindings *bindings = &store->bindings;
    const dm_snapshot_binding *records = dm_snapshot_records(state, DM_SNAPSHOT_BINDINGS);
    uint64_t count = state->header.sections[DM_SNAPSHOT_BINDINGS].count;
    uint32_t concepts = store->concepts.index_count;
    uint32_t blocks = (uint32_t)dm_snapshot_blocks(state); /* at most 2^29 */
    if (blocks > bindings->places_pool.limit) {
        return dm_refuse(state, "among the bindings, a handle is out of range; no dm_store_save wrote this file");
    }
    if (!dm_bindings_use_places(bindings, &store->binding_memory, blocks)) {
        return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size, "%s: no memory for the bindings", state->path);
    }
    empty_blocks(bindings, 0, concepts, 0);
    empty_blocks(bindings, bindings->places_pool.inline_count, bindings->places_pool.used, DM_BLOCK_NONE);
    for (uint32_t index = 0; index < concepts; index++) {
        bindings->free_place[index] = DM_PARTNER_LAST;
    }
    int32_t status = DM_OK;
    for (uint64_t i = 0; i < count && status == DM_OK; i++) {
        if (i + AHEAD < count) {
            prefetch_episode(store, &records[i + AHEAD]);
        }
        status = check_binding(state, &records[i], i == 0 ? NULL : &records[i - 1]);
        if (status == DM_OK) {
            status = fill_binding(state, &records[i]);
        }
    }
    if (status == DM_OK) {
        chain_blocks(store, concepts, bindings->places_pool.used);
        atomic_store_explicit(&bindings->count, count, memory_order_relaxed);
    }
    return status;
}

int32_t dm_snapshot_fill(dm_loader *state) {
    dm_store *store = state->store;
    int32_t status = fill_nodes(state, DM_SNAPSHOT_EPISODES, DM_SNAPSHOT_EPISODE_ROWS, &store->episodes);
    if (status == DM_OK) {
        status = fill_nodes(state, DM_SNAPSHOT_CONCEPTS, DM_SNAPSHOT_CONCEPT_ROWS, &store->concepts);
    }
    if (status == DM_OK && !store->single_type) {
        status = fill_bindings(state);
    }
    if (status == DM_OK) {
        status = dm_snapshot_fill_associations(state);
    }
    return status;
}
